"""`benchmarks/serving`: measures how fast releases answer online, beside other servers of the same models."""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.batch_records import VARIANTS, Subject
from benchmarks.serving_figures import Cell, Result, Sample, as_json, generator_limits, tables
from benchmarks.serving_load import Generator, generating
from benchmarks.serving_peers import BY_NAME, ECHO, OTHERS, OURS, Peer, Place
from benchmarks.serving_plot import draw
from benchmarks.serving_server import Server, running
from benchmarks.serving_subjects import Served, predictions, served
from scripts.environments import ENVIRONMENTS, ROOT, say
from services.contract.errors import Refused
from services.platform.supervisor import unwind_on_signals
from tests.support.ports import free_ports

_ALIKE = 1e-6


@dataclass(frozen=True)
class Plan:
    peers: tuple[Peer, ...]
    cells: tuple[Cell, ...]
    seconds: float
    rounds: int
    starts: int
    environments: Path
    folder: Path


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    unwind_on_signals()
    with ExitStack() as stack:
        folder = (options.state or Path(stack.enter_context(tempfile.TemporaryDirectory()))).absolute()
        plan = _plan(options, folder)
        before, generator = os.getloadavg(), stack.enter_context(generating())
        subjects = _subjects(folder, options)
        results: dict[str, list[Result]] = {}
        for one in subjects:
            results[one.model] = measured(one, plan, generator)
            # What there is after each model is kept, should a later one be stopped.
            page = _page(options, conditions(plan, subjects, before), results)
            if options.out:
                _write(options, page, results)
        sys.stdout.write(page)
    return 0


def _subjects(folder: Path, options: argparse.Namespace) -> list[Served]:
    """Trained and packaged in `folder`, or taken from there."""
    models, rows = options.models, max(options.rows)
    found = [Subject.read(file) for model in models if (file := _kept(folder, model, rows)).is_file()]
    if len(found) < len(models):
        from benchmarks.shipped_releases import preparing  # takes seconds, which a kept folder saves

        with preparing(folder) as preparation:
            found = [preparation.subject(model, rows) for model in models]
        for subject in found:
            subject.write(_kept(folder, subject.model, rows))
    return [served(one, folder / "forms" / one.model, for_others=bool(options.peers)) for one in found]


def _kept(folder: Path, model: str, rows: int) -> Path:
    return folder / f"{model}-{rows}.subject.json"


def measured(subject: Served, plan: Plan, generator: Generator) -> list[Result]:
    """Ours first. Raises Refused when ours does not answer; another that does not is a result with the reason."""
    results = {peer.name: Result(peer.name, reason=peer.unable(subject)) for peer in plan.peers}
    with ExitStack() as stack:
        servers = _started(subject, plan, results, stack)
        for number in range(plan.rounds):
            for cell in plan.cells:
                say(f"{subject.model}, round {number + 1} of {plan.rounds}: {cell.rows} rows, c{cell.connections}")
                # Whoever comes first in one round comes later in the next.
                for server in servers[number % len(servers) :] + servers[: number % len(servers)]:
                    _round(server, cell, plan.seconds, generator, results[server.peer.name])
        for server in servers:
            results[server.peer.name].memory_after = server.usage(memory=True).memory
    return list(results.values())


def _started(subject: Served, plan: Plan, results: dict[str, Result], stack: ExitStack) -> list[Server]:
    """All that could be started, after having started and ended each for the other cold starts."""
    servers: list[Server] = []
    for number in range(plan.starts):
        for peer in plan.peers:
            if (result := results[peer.name]).reason:
                continue
            say(f"{subject.model}: starting {peer.name}, {number + 1} of {plan.starts}")
            with ExitStack() as once:
                try:
                    server = once.enter_context(running(peer, subject, _place(peer, subject, plan)))
                    _check(server, servers[0] if servers else None)
                except Refused as refused:
                    if peer.name == OURS:
                        raise
                    say(str(refused))
                    result.reason = str(refused)
                    continue
                result.cold_starts.append(server.cold_start)
                result.memory, result.version = server.first.memory, _version(peer, server)
                if number + 1 == plan.starts:
                    servers.append(server)
                    stack.push(once.pop_all())
    return servers


def _check(server: Server, ours: Server | None) -> None:
    """Raises Refused when it does not answer what ours answers."""
    if ours is None or server.peer.name == ECHO:
        return
    expected, found = predictions(ours.answer), predictions(server.answer)
    if not all(_alike(one, other) for one, other in zip(expected, found, strict=True)):
        raise Refused(f"expected the answer {expected} of ours, found {found}")


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=_ALIKE)
    try:
        return float(one) == float(other)
    except ValueError:
        return bool(one == other)


def _round(server: Server, cell: Cell, seconds: float, generator: Generator, result: Result) -> None:
    """One cell of one server; once that a request has failed, the cell has no figures."""
    if cell in result.refused:
        return
    question = server.question(cell.rows)
    generator.ask(question, 1, seconds / 10)
    before = server.usage()
    told = generator.ask(question, cell.connections, seconds)
    spent = server.usage().since(before)
    if told.failures or not told.answers:
        result.refused[cell] = f"{told.failures} of {told.answers + told.failures} requests failed: {told.failure}"
        say(f"{server.peer.name}: {result.refused[cell]}")
        return
    sample = Sample(
        rate=told.answers / told.seconds,
        p50=told.p50,
        p99=told.p99,
        cpu=spent.cpu / told.answers,
        generator=told.cpu / told.answers,
        busy=(spent.cpu + spent.waited) / told.seconds,
    )
    result.samples.setdefault(cell, []).append(sample)


def _place(peer: Peer, subject: Served, plan: Plan) -> Place:
    """Raises Refused when its environment cannot be set up."""
    name = peer.environment(subject)
    folder = plan.environments if name.startswith("bench-") else ENVIRONMENTS
    command = [sys.executable, str(ROOT / "scripts" / "environments.py"), name]
    variables = {**os.environ, "TRACKBACK_ENVIRONMENTS": str(folder)}
    done = subprocess.run(command, env=variables, stderr=subprocess.PIPE, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise Refused(f"its environment cannot be set up: {' '.join(done.stderr.split())[-200:]}")
    port, *more = free_ports(3)
    return Place(folder / name / "bin", plan.folder / "servers" / subject.model / peer.name, port, (more[0], more[1]))


def _version(peer: Peer, server: Server) -> str:
    """Of the package that gives the server its name; of ours, of the framework that it is built on."""
    asked = f"import importlib.metadata as m; print(m.version('{peer.package}'))"
    python = server.place.program("python")
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    return f"{peer.package} {done.stdout.strip()}"


def conditions(plan: Plan, subjects: Sequence[Served], before: Sequence[float]) -> str:
    """What the figures depend on."""
    after = os.getloadavg()
    releases = ", ".join(f"{one.model} {one.digest[:12]} ({one.library}, as {one.runtime})" for one in subjects)
    return (
        f"Machine: {_processor()}, {os.cpu_count()} cores, Linux {platform.release()},"
        f" Python {platform.python_version()}; load average {before[0]:.1f} before and {after[0]:.1f} after."
        f" {plan.rounds} rounds of {plan.seconds:g} s in each cell, {plan.starts} starts, one worker each. Rows: the"
        f" first of each hold-out, no seed beside those of model.yaml. Releases: {releases}.\n"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _page(options: argparse.Namespace, said: str, results: dict[str, list[Result]]) -> str:
    cells = [Cell(rows, options.connections[-1]) for rows in options.rows]
    pages = [f"## {model}\n\n{tables(of, options.rows, options.connections)}" for model, of in results.items()]
    limits = [f"- {model}, {line}" for model, of in results.items() for line in generator_limits(of[1], cells)]
    notes = ["\n".join(["The load generator:", "", *limits]) + "\n"] if limits else []
    return "\n".join([said, *pages, *notes, _generator_cost(results, cells[0])])


def _write(options: argparse.Namespace, page: str, results: dict[str, list[Result]]) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "serving-speed.md").write_text(page)
    (options.out / "serving-speed.json").write_text(json.dumps(as_json(results), indent=1) + "\n")
    draw(results, options.rows, options.connections, options.out / "serving-speed.svg")


def _generator_cost(results: dict[str, list[Result]], cell: Cell) -> str:
    costs = [of[1].median(cell, lambda sample: 1e6 * sample.generator) for of in results.values()]
    return f"CPU of the load generator at the echo, c{cell.connections}: {max(costs):.0f} µs a request.\n"


def _plan(options: argparse.Namespace, folder: Path) -> Plan:
    names = [OURS, ECHO, *dict.fromkeys(options.peers)]
    return Plan(
        peers=tuple(BY_NAME[name] for name in names),
        cells=tuple(Cell(rows, connections) for rows in options.rows for connections in options.connections),
        seconds=options.seconds,
        rounds=options.rounds,
        starts=options.starts,
        environments=options.environments.absolute(),
        folder=folder,
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/serving",
        description="Serves releases of the models that ship and measures requests a second, latency, CPU, memory and"
        " cold start, in turns with other servers of the same models and with a bare echo of the same bytes. Other"
        " servers get environments of their own, which are set up when they are first needed (some gigabytes).",
        epilog="example: benchmarks/serving --models diamond-price --peers mlflow --rows 1 --connections 32",
    )
    many: dict[str, Any] = {"nargs": "+", "metavar": "N"}
    add = parser.add_argument
    add("--peers", nargs="*", default=list(OTHERS), choices=OTHERS, metavar="PEER", help=f"of {', '.join(OTHERS)}; all")
    add("--models", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="MODEL", help="which ones; all")
    add("--rows", type=_positive, default=[1, 100, 10_000], help="in a request (1 100 10000)", **many)
    add("--connections", type=_positive, default=[1, 16, 32], help="at once (1 16 32)", **many)
    add("--seconds", type=float, default=2.0, help="of each cell in each round (%(default)s)")
    add("--rounds", type=_positive, default=3, help="of each cell and server, by turns (%(default)s)")
    add("--starts", type=_positive, default=3, help="of each server, for the cold start (%(default)s)")
    add("--out", type=Path, help="folder for the tables, the plot and all samples as JSON")
    add("--state", type=Path, help="folder that keeps what was trained for the next time")
    add("--environments", type=Path, default=ENVIRONMENTS, help="folder for those of other servers (.venv)")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found '{text}'")
    return int(text)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

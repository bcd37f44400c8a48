"""`benchmarks/serving-cost`: CPU of a request to a release, as a ratio to a bare echo of the same bytes beside it.

The kernel's count of a process's own CPU does not grow while others have the processor, rounds of the two alternate,
and of each the best counts: so the ratio says the same on a busy machine. Rates are told too, and decide nothing.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.request_load import load
from services.contract import names
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.release import Golden, Manifest
from services.contract.waiting import wait_until

EXAMPLE = "example: benchmarks/serving-cost state/store/releases/<digest> --rows 100 --connections 16"


@dataclass(frozen=True)
class Plan:
    """`python` is the one of the service's environment; `most` is what the ratio may be, if there is a bound."""

    release: Path
    python: Path
    rows: int = 1
    connections: int = 32
    requests: int = 4000
    rounds: int = 5
    most: float | None = None


@dataclass
class Server:
    """`cpu` has the CPU seconds of a request in each round, `seconds` those that passed."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    cpu: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def round(self, body: bytes, requests: int, connections: int) -> None:
        began, used = time.monotonic(), cpu_seconds(self.process.pid)
        load(self.port, body, requests, connections)
        self.cpu.append((cpu_seconds(self.process.pid) - used) / requests)
        self.seconds.append((time.monotonic() - began) / requests)


@dataclass(frozen=True)
class Cost:
    """CPU seconds of a request in the best round, and requests a second in the fastest."""

    cpu: float
    rate: float

    @classmethod
    def of(cls, server: Server) -> "Cost":
        return cls(min(server.cpu), 1 / min(server.seconds))


def main(arguments: Sequence[str]) -> int:
    plan = _plan(arguments)
    ours, echo = measured(plan)
    sys.stdout.write(report(ours, echo))
    check(ours, echo, plan.most)
    return 0


def check(ours: Cost, echo: Cost, most: float | None) -> None:
    """Raises Refused above the bound."""
    if most is not None and (ratio := ours.cpu / echo.cpu) > most:
        raise Refused(f"expected at most {most:g} times the CPU of the echo, found {ratio:.2f}: profile what is new")


def measured(plan: Plan) -> tuple[Cost, Cost]:
    """Of the release and of the echo. Raises Refused where one does not start or refuses the request."""
    body = request_of(plan.release, plan.rows)
    with ExitStack() as stack:
        ours = stack.enter_context(_serving(plan))
        answer = load(ours.port, body, plan.connections, plan.connections)
        echo = stack.enter_context(_echoing(plan, answer))
        load(echo.port, body, plan.connections, plan.connections)
        for _ in range(plan.rounds):
            for server in (ours, echo):
                server.round(body, plan.requests, plan.connections)
        return Cost.of(ours), Cost.of(echo)


def report(ours: Cost, echo: Cost) -> str:
    lines = ["| | CPU a request | requests/s |", "|---|---|---|"]
    lines += [
        f"| {name} | {cost.cpu * 1e6:.1f} µs | {cost.rate:,.0f} |" for name, cost in (("release", ours), ("echo", echo))
    ]
    return "\n".join([*lines, f"| ratio | {ours.cpu / echo.cpu:.2f} | {ours.rate / echo.rate:.2f} |"]) + "\n"


def request_of(release: Path, rows: int) -> bytes:
    """Golden rows of the release, as `dataframe_split`."""
    golden = Golden.read(release / names.GOLDEN_FILE)
    # The first ones are rows at the edge.
    data = [golden.rows[-1 - place % len(golden.rows)] for place in range(rows)]
    return json.dumps({"dataframe_split": {"columns": golden.columns, "data": data}}).encode()


def cpu_seconds(process: int) -> float:
    """User and system time of all threads, to the nanosecond."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


@contextmanager
def _serving(plan: Plan) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    digest = plan.release.name
    arguments = ["services.prediction", str(plan.release), "--digest", digest, "--port", str(port)]
    with _running("release", plan.python, arguments, port) as server:
        yield server


@contextmanager
def _echoing(plan: Plan, answer: bytes) -> Iterator[Server]:
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        file, descriptor = Path(folder) / "answer", listening.fileno()
        file.write_bytes(answer)
        arguments = ["benchmarks.serving_echo", "--descriptor", str(descriptor), "--answer", str(file)]
        with _running("echo", plan.python, arguments, listening.getsockname()[1], descriptor) as server:
            yield server


@contextmanager
def _running(name: str, python: Path, arguments: Sequence[str], port: int, *descriptors: int) -> Iterator[Server]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [str(python), "-P", "-m", *arguments]
    with subprocess.Popen(command, env=variables, pass_fds=descriptors) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(port), f"{name} to listen", seconds=60)
            if process.poll() is not None:
                raise Refused(f"{name}: expected a server, found its end: see above")
            yield Server(name, process, port)
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving_cost",
        description="CPU of a request to a release, as a ratio to a bare echo of the same bytes in the same run.",
        epilog=EXAMPLE,
    )
    parser.add_argument("release", type=Path, help="the release's folder, whose name is its digest")
    parser.add_argument("--rows", type=int, default=Plan.rows, help="of the request, %(default)s if not given")
    parser.add_argument("--connections", type=int, default=Plan.connections, help="%(default)s if not given")
    parser.add_argument("--requests", type=int, default=Plan.requests, help="a round, %(default)s if not given")
    parser.add_argument("--rounds", type=int, default=Plan.rounds, help="of each, %(default)s if not given")
    parser.add_argument("--most", type=float, metavar="RATIO", help="fail above this one")
    options = parser.parse_args(arguments)
    return Plan(
        release=options.release.absolute(),
        python=_python_for(options.release),
        rows=options.rows,
        connections=options.connections,
        requests=options.requests,
        rounds=options.rounds,
        most=options.most,
    )


def _python_for(release: Path) -> Path:
    """Of the environment that a service of this release has."""
    form = Manifest.read(release / names.MANIFEST_FILE).servable.form
    if form is None:
        raise Refused(f"{release}: expected a release that answers, found one for batch only")
    return python_of(f"prediction-{form.runtime}", ROOT / ".venv") or Path(sys.executable)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

"""`benchmarks/hostile`: sends a service hostile requests, and fails on a 5xx, a hang or memory that grows."""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.hostile_client import Attack, Tally
from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.release import ServingLimits
from tests.support.graph_release import build_graph_release
from tests.support.ports import free_port

MOST_GROWTH = 50 << 20
CONNECTIONS = 32
# Memory is compared with that after so many requests: what is imported and allocated once is in it.
WARM = 2000
REPORT_EVERY = 20_000


@dataclass(frozen=True)
class Outcome:
    """`growth` is in bytes; `processor` are the seconds that the service used."""

    tally: Tally
    growth: int
    processor: float

    @property
    def failed(self) -> bool:
        return bool(self.tally.problems) or self.growth > MOST_GROWTH


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    say(f"seed {seed}: --seed {seed} sends the same again")
    try:
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder), options.header_seconds) as (port, process):
            outcome = attacked(port, process, seed, options.requests, options.first)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    say(report(outcome))
    return 1 if outcome.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/hostile", description=__doc__.partition(": ")[2])
    parser.add_argument("--requests", type=int, default=20_000, metavar="N", help="how many; 20000 if not given")
    parser.add_argument("--seed", type=int, metavar="N", help="of the requests; a new one if not given")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first; 0 if not given")
    parser.add_argument(
        "--header-seconds",
        type=float,
        default=5.0,
        metavar="S",
        help="what the service gives slow clients for headers and for a body; 5 if not given",
    )
    return parser


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def serving(folder: Path, seconds: float) -> Iterator[tuple[int, psutil.Process]]:
    """A process of the prediction service with a small release. Raises Refused when it does not start."""
    limits = ServingLimits(header_seconds=seconds, body_seconds=seconds)
    release, port = build_graph_release(folder, limits), free_port()
    command = [sys.executable, "-m", "services.prediction", str(folder / "releases" / release.digest)]
    command += ["--digest", release.digest, "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=log)
    try:
        if not process.stderr or b"answers at" not in (line := process.stderr.readline()):
            raise Refused(f"expected the service to start, found: {line.decode()}")
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.communicate()


def attacked(port: int, process: psutil.Process, seed: int, requests: int, first: int = 0) -> Outcome:
    async def attack() -> Outcome:
        attack = Attack(port, process, seed, CONNECTIONS)
        warm = min(WARM, requests // 2)
        await attack.run(range(first, first + warm))
        before = process.memory_info().rss
        for start in range(first + warm, first + requests, REPORT_EVERY):
            await attack.run(range(start, min(start + REPORT_EVERY, first + requests)))
            growth = process.memory_info().rss - before
            say(progress(attack.tally, growth))
        times = process.cpu_times()
        return Outcome(attack.tally, growth, times.user + times.system)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(attack())


def progress(tally: Tally, growth: int) -> str:
    found = f"{tally.errors} 5xx, {tally.hangs} hangs, {len(tally.problems)} problems"
    return "\n".join((f"{tally.sent} sent: {found}, memory {growth / (1 << 20):+.1f} MB", *tally.problems))


def report(outcome: Outcome) -> str:
    tally = outcome.tally
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(tally.statuses.items()))
    return "\n".join(
        (
            f"requests {tally.sent}",
            f"answers by status {statuses}",
            f"ended without an answer {tally.unanswered}",
            f"5xx that are not an announced 503: {tally.errors}",
            f"hangs of more than 5 s: {tally.hangs}",
            f"memory growth {outcome.growth / (1 << 20):.1f} MB",
            f"processor time of the service {outcome.processor:.1f} s",
            *tally.problems,
        )
    )


if __name__ == "__main__":
    sys.exit(main())

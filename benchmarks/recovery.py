"""`benchmarks/recovery`: seconds until a release answers again, after a rollback and after something was killed."""

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from services.contract.release import ServingLimits
from tests.support.poll import poll_until
from tests.support.release_factory import ReleasePlan, build_release, train
from tests.support.rollout_service import QUESTION, RolloutService, ask, running
from tests.support.steady_client import SteadyClient

WORKERS = 2


class Measured:
    """Of one platform of processes, without MLflow and GoCD. `seconds` are those of each kind, in the order in which
    they were measured; `failed` are requests that failed meanwhile."""

    def __init__(self, service: RolloutService, digests: Sequence[str]) -> None:
        self._service, self._digests = service, digests
        self.seconds: dict[str, list[float]] = {}
        self.failed: dict[str, int] = {}

    def play(self, rounds: int) -> None:
        for digest in self._digests:
            self._service.deployed(digest)
        for number in range(rounds):
            self._roll_back(number)
            self._kill()
            sys.stderr.write(f"round {number + 1} of {rounds}\n")

    def _roll_back(self, number: int) -> None:
        previous = self._loaded()[1]
        with self._kind("rollback, loaded"):
            self._back_to(previous)
        cold = [digest for digest in self._digests if digest not in self._loaded()]
        with self._kind("rollback --to, not loaded"):
            self._back_to(cold[number % len(cold)])

    def _back_to(self, digest: str) -> None:
        self._service.rollback(digest).raise_for_status()
        if (found := ask(self._service.url)[0]) != digest:
            raise RuntimeError(f"expected {digest} to answer, found {found}")

    def _loaded(self) -> list[str]:
        """What is live, and what was before."""
        state = self._service.model()
        return [one.release for one in (state.live, state.previous) if one]

    def _kill(self) -> None:
        live = self._loaded()[0]
        with self._kind("one of two workers killed"):
            self._service.workers(live)[0].kill()
            ask(self._service.url)
        self._all_workers(live)
        with self._kind("one of two workers hangs, until it is replaced"):
            hung = self._service.workers(live)[0]
            hung.send_signal(signal.SIGSTOP)
            poll_until(lambda: not _is_there(hung), "the end of what hangs", pause=0.01)
        self._all_workers(live)
        with self._kind("all processes of the release killed"):
            for process in [*self._service.serving(live), *self._service.workers(live)]:
                process.kill()
            ask(self._service.url)
        self._all_workers(live)
        with self._kind("rollout service killed, until the next one is there"):
            self._service.kill()
            self._service.start()

    def _all_workers(self, digest: str) -> None:
        poll_until(lambda: len(self._service.workers(digest)) == WORKERS, "all workers", pause=0.01)
        poll_until(self._ready, "workers that answer", pause=0.01)

    def _ready(self) -> bool:
        workers = self._service.model().workers
        return workers is not None and workers.ready == WORKERS

    @contextmanager
    def _kind(self, name: str) -> Iterator[None]:
        with SteadyClient(self._service.url, QUESTION) as client:
            client.heard_any()
            began = time.perf_counter()
            yield
            self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        self.failed[name] = self.failed.get(name, 0) + len(client.failures)


def _is_there(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        service = RolloutService(Path(folder))
        with running(service):
            measured = Measured(service, _releases(service.store))
            measured.play(options.rounds)
    sys.stdout.write(report(measured.seconds, measured.failed))
    rolled_back = sum(count for name, count in measured.failed.items() if "rollback" in name or "rollout" in name)
    return 1 if rolled_back else 0


def _releases(store: Path) -> list[str]:
    estimator = train(4000.0)
    limits = ServingLimits(replicas=1, workers=WORKERS)
    plans = [ReleasePlan(number=number, estimator=estimator, limits=limits) for number in (1, 2, 3)]
    return [build_release(store, plan).digest for plan in plans]


def report(seconds: dict[str, list[float]], failed: dict[str, int]) -> str:
    lines = ["| what | times | median, s | longest, s | failed requests |", "| --- | --: | --: | --: | --: |"]
    number: Callable[[float], str] = "{:.2f}".format
    for name, found in seconds.items():
        median, longest = number(statistics.median(found)), number(max(found))
        lines.append(f"| {name} | {len(found)} | {median} | {longest} | {failed[name]} |")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/recovery",
        description="Starts a rollout service of its own with small releases of two workers, and prints how long it"
        " takes until a release answers again, under six clients: after a rollback, after a worker was killed or hangs,"
        " after all of a release and the rollout service were killed. Fails when a rollback, or the end of the rollout"
        " service, fails a request; what is killed takes the requests with it that it had.",
        epilog="example: benchmarks/recovery --rounds 5",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each kind; 5 if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main())

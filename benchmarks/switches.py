"""`benchmarks/switches`: deploys and rollbacks under load, whose clients demand that no request fails or is stale."""

import argparse
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import psutil

from benchmarks.serving_usage import usage
from benchmarks.switch_timeline import Timeline
from services.contract.deployment import StepOrder
from tests.support.poll import poll_until
from tests.support.release_factory import ReleasePlan
from tests.support.rollout_service import QUESTION, RolloutService, running
from tests.support.steady_client import SteadyClient
from tests.support.switcher import STEPS, Releases, Switcher

# Longer than mostly idle clients wait; what is left of a release ends after as many.
DRAIN_SECONDS = 20.0
_REPORT_EVERY = 10
_TOLD = 10
_ABORTED = 0.25


@dataclass(frozen=True)
class Held:
    """What the rollout service holds: bytes, descriptors, threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        process = psutil.Process(pid)
        return cls(process.memory_info().rss, process.num_fds(), process.num_threads())

    def __str__(self) -> str:
        return f"{self.memory / 1e6:.1f} MB, {self.descriptors} descriptors, {self.threads} threads"


class Run:
    """One seeded order of switches, spread evenly over the requests."""

    def __init__(self, options: argparse.Namespace, service: RolloutService, seed: int) -> None:
        self._options, self._service, self._random = options, service, random.Random(seed)
        self._releases = Releases(service.store)
        self._live_before: list[str] = []
        self.timeline = Timeline(DRAIN_SECONDS)
        self.client = SteadyClient(
            service.url,
            QUESTION,
            kept=0,
            busy=options.busy,
            fresh=options.fresh,
            idle=options.idle,
            timeline=self.timeline,
        )
        self.switcher = Switcher(service, self.client, self.timeline)
        self.seconds, self.service_cpu = 0.0, 0.0
        self.begun = self.ended = Held(0, 0, 0)

    def play(self) -> None:
        first = self._next(stepped=False)
        self._service.deployed(first)
        self.timeline.live = first
        began, used = time.monotonic(), usage(self._service.pid).cpu
        with self.client:
            self.client.heard(first)
            for done, kind in enumerate(self._kinds(), 1):
                self._play_one(kind)
                self._wait_for(done)
        self.seconds, self.service_cpu = time.monotonic() - began, usage(self._service.pid).cpu - used
        poll_until(lambda: len(self._service.serving()) <= 2, "the end of what was replaced")
        self.ended = Held.by(self._service.pid)

    def _kinds(self) -> list[str]:
        options = self._options
        stepped = round(options.switches * options.steps)
        kinds = ["steps"] * stepped + ["deploy"] * (options.switches - stepped) + ["rollback"] * options.rollbacks
        self._random.shuffle(kinds)
        # There must be something to go back to.
        return ["deploy", *kinds[:-1]] if kinds and kinds[0] == "rollback" else kinds

    def _play_one(self, kind: str) -> None:
        match kind:
            case "deploy":
                self.switcher.deploy(self._next(stepped=False))
            case "steps":
                order = StepOrder.ABORT if self._random.random() < _ABORTED else StepOrder.PROMOTE_NOW
                self.switcher.deploy_by_steps(self._next(stepped=True), order)
            case _:
                self.switcher.roll_back(self._to())
        if self.timeline.live not in self._live_before:
            self._live_before.append(self.timeline.live)

    def _next(self, stepped: bool) -> str:
        plan = STEPS if stepped else ReleasePlan.rollout
        return self._releases.next(self._random.random() < self._options.onnx, plan).digest

    def _to(self) -> str | None:
        """Every other rollback is to a release that was live at any time before."""
        others = [one for one in self._live_before if one != self.timeline.live]
        return self._random.choice(others) if others and self._random.random() < 0.5 else None

    def _wait_for(self, done: int) -> None:
        whole = self._options.switches + self._options.rollbacks
        goal = self._options.requests * done / whole
        poll_until(
            lambda: self.client.answers.total() + len(self.client.failures) >= goal, f"{goal:.0f} requests", pause=0.02
        )
        if done == min(_REPORT_EVERY, whole):
            self.begun = Held.by(self._service.pid)
        if done % _REPORT_EVERY == 0:
            sys.stderr.write(
                f"{done} of {whole} switches, {self.client.answers.total():,} requests,"
                f" {len(self.client.failures)} failed, {len(self.timeline.stale)} stale\n"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    _say(f"seed {seed}: --seed {seed} switches in the same order")
    with tempfile.TemporaryDirectory() as folder:
        service = RolloutService(Path(folder), {"DRAIN_SECONDS": DRAIN_SECONDS})
        with running(service):
            run = Run(options, service, seed)
            run.play()
        left = len(service.workers())
    _say(report(run))
    _say(f"{left} processes left")
    return 1 if run.client.failures or run.timeline.stale or run.switcher.refused or left else 0


def report(run: Run) -> str:
    requests = run.client.answers.total()
    lines = [f"{requests:,} requests in {run.seconds:.0f} s, {len(run.client.failures)} failed"]
    lines += [f"  {line}" for line in run.client.failures[:_TOLD]]
    lines += [f"{len(run.timeline.stale)} stale answers", *(f"  {line}" for line in run.timeline.stale[:_TOLD])]
    lines += [f"{sum(run.switcher.counts.values())} switches: {_counted(run)}"]
    lines += [f"  unexpected: {line}" for line in run.switcher.refused[:_TOLD]]
    lines += list(_latencies(run))
    lines += [f"the rollout service held {run.begun} after {_REPORT_EVERY} switches, {run.ended} at the end"]
    client, service = (1e6 * cpu / max(1, requests) for cpu in (run.client.cpu, run.service_cpu))
    return "\n".join([*lines, f"CPU a request: {client:.0f} µs of the clients, {service:.0f} µs of all they ask"])


def _counted(run: Run) -> str:
    return "; ".join(f"{count} {kind}" for kind, count in sorted(run.switcher.counts.items()))


def _latencies(run: Run) -> list[str]:
    between = _quantiles(run.client.seconds)
    lines = [f"between switches p50 {between[0]:.1f} ms, p99 {between[1]:.1f} ms"]
    for kind, seconds in run.switcher.seconds.items():
        if seconds:
            p50, p99 = _quantiles(seconds)
            lines.append(f"in a {kind} p50 {p50:.1f} ms, p99 {p99:.1f} ms: {p99 / between[1]:.2f} × p99")
    return lines


def _quantiles(seconds: "array[float]") -> tuple[float, float]:
    """In milliseconds."""
    if not seconds:
        return float("nan"), float("nan")
    p50, p99 = numpy.quantile(numpy.frombuffer(seconds), (0.5, 0.99)) * 1000
    return float(p50), float(p99)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/switches",
        description="Starts a rollout service of its own, and deploys and rolls back small releases while clients ask:"
        " over kept connections, over a new one for each request, and mostly idle. Fails on a request that fails,"
        " without a second try, and on an answer of a release that may not answer then.",
        epilog="example: benchmarks/switches --switches 500 --rollbacks 100 --requests 5000000",
    )
    parser.add_argument("--switches", type=int, default=60, metavar="N", help="deploys; 60 if not given")
    parser.add_argument("--rollbacks", type=int, default=12, metavar="N", help="half of them to any release; 12")
    parser.add_argument("--requests", type=int, default=300_000, metavar="N", help="at least so many; 300000")
    parser.add_argument(
        "--steps", type=float, default=0.1, metavar="SHARE", help="of deploys by a short shadow and canary; 0.1"
    )
    parser.add_argument("--onnx", type=float, default=0.7, metavar="SHARE", help="of ONNX, the rest scikit-learn; 0.7")
    parser.add_argument("--busy", type=int, default=16, metavar="N", help="clients that ask again at once; 16")
    parser.add_argument("--fresh", type=int, default=2, metavar="N", help="clients of new connections; 2")
    parser.add_argument("--idle", type=int, default=20, metavar="N", help="clients that ask every 5 s; 20")
    parser.add_argument("--seed", type=int, metavar="N", help="of the order; a new one if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main())

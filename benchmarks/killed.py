"""`benchmarks/killed`: kills a rollout service again and again, and checks after each kill what must hold."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from secrets import randbits
from tempfile import TemporaryDirectory

import httpx
from sklearn.pipeline import Pipeline

from benchmarks.killed_service import MODEL, KilledService
from services.contract.rollout_plan import RolloutPlan, Shadow, WhenInconclusive
from services.contract.waiting import NotInTime, wait_until
from services.rollout.fail_points import FailPoint
from tests.support.release_factory import ReleasePlan, build_release, train
from tests.support.steady_client import SteadyClient

EXAMPLE = "example: benchmarks/killed --kills 1000 --seed 7"
# Journals of hundreds of releases say nothing new, and are read as a whole.
KILLS_OF_A_STATE = 40
SETTLED_SECONDS = 60.0
LONGEST_SECONDS = 0.8
# Every point, and as many times at any.
POINTS: tuple[FailPoint | None, ...] = (*FailPoint, *(None for _ in FailPoint))
SHORT = RolloutPlan(bake=0, step=0.05, inconclusive=WhenInconclusive.PROMOTE)
PLANS = (
    SHORT,
    SHORT.model_copy(update={"canary": (0.1, 0.5)}),
    SHORT.model_copy(update={"shadow": Shadow(duration=0.05, share=0.5), "bake": 0.2}),
    SHORT.model_copy(update={"canary": (0.2,), "bake": 0.1}),
)
Weights = Mapping[str, int]
UNSEEN: Weights = {"deploy": 6, "rollback": 2}
# Clients notice these, so none is there.
SEEN: Weights = {"deploy": 4, "rollback": 2, "retire": 3, "serving ended": 3}


@dataclass
class Told:
    """`points` counts kills by where they came; `wrong` is what did not hold after one, `failures` are of clients."""

    points: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answers: int = 0

    @property
    def kills(self) -> int:
        return self.points.total()


class Life:
    """Of one service and its state: what is asked of it, and when it is killed, follows from the `random` alone."""

    def __init__(self, folder: Path, random: Random, estimator: Pipeline, told: Told, asked: Weights) -> None:
        self.service = KilledService(folder)
        self.told, self.asked = told, asked
        self._random, self._estimator = random, estimator
        self._number = 0

    def begin(self) -> None:
        """With two releases, so that there is something to go back to."""
        self.service.start()
        for _ in range(2):
            self._ask(("deploy", self._build()))

    def kill_once(self, point: FailPoint | None) -> None:
        """At the `point` if what is asked comes there, else at any time."""
        self.service.kill()
        self.service.start(f"{point}" if point else "")
        # A deploy comes to most of the points.
        asked = ("deploy", self._build()) if point and self.asked is UNSEEN else self._draw()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(self._ask, asked)
            self._wait_for_the_moment(point, asking)
            by_itself = self.service.has_ended()
            self.service.kill()
        self.told.points[str(point) if by_itself and point else "any time"] += 1
        self._again(asked)
        self._check(f"{asked[0]}, killed at {point or 'any time'}")

    def _wait_for_the_moment(self, point: FailPoint | None, asking: "Future[None]") -> None:
        if point is None:
            self.service.wait_end(self._random.uniform(0.0, LONGEST_SECONDS))
            return
        while not self.service.has_ended() and not asking.done():
            self.service.wait_end(0.02)
        # What comes later comes in its bake.
        self.service.wait_end(0.5)

    def _draw(self) -> tuple[str, str]:
        kind = self._random.choices(list(self.asked), list(self.asked.values()))[0]
        return kind, self._build() if kind == "deploy" else ""

    def _build(self) -> str:
        self._number += 1
        plan = ReleasePlan(number=self._number, estimator=self._estimator, rollout=self._random.choice(PLANS))
        return build_release(self.service.store, plan).digest

    def _ask(self, asked: tuple[str, str]) -> None:
        kind, digest = asked
        who = {"by": "grace", "reason": "a test"}
        with suppress(httpx.TransportError):
            if kind == "deploy":
                self.service.http.post(f"/models/{MODEL}/deploy", json={"release": digest, "by": "grace"})
            elif kind == "serving ended":
                self.service.end_what_serves()
            else:
                self.service.http.post(f"/models/{MODEL}/{kind}", json=who)

    def _again(self, asked: tuple[str, str]) -> None:
        """As GoCD runs a stage again: what had been delivered already is not delivered twice."""
        self.service.start()
        if asked[0] == "deploy":
            self._ask(asked)
        elif not self.service.model().live:
            self._ask(("rollback", ""))

    def _check(self, what: str) -> None:
        found: list[str] = []

        def settled() -> bool:
            found[:] = self.service.wrong()
            return not found

        try:
            wait_until(settled, "what must hold", SETTLED_SECONDS)
        except NotInTime:
            self.told.wrong += [f"{what}: {one}" for one in found]


def run(kills: int, seed: int, folder: Path, points: Sequence[FailPoint | None]) -> Told:
    """Each of `points` is taken in turn, None being any time."""
    random, told, estimator = Random(seed), Told(), train(4000.0)
    while told.kills < kills:
        of_state = min(KILLS_OF_A_STATE, kills - told.kills)
        for asked, share in ((UNSEEN, of_state - of_state // 3), (SEEN, of_state // 3)):
            with TemporaryDirectory(dir=folder, prefix="state-") as state:
                _live(Life(Path(state), random, estimator, told, asked), share, points)
    return told


def _live(life: Life, kills: int, points: Sequence[FailPoint | None]) -> None:
    told, watched = life.told, life.asked is UNSEEN
    try:
        life.begin()
        with SteadyClient(life.service.url, b"{}", kept=2 * watched, fresh=1 * watched) as client:
            for _ in range(kills):
                life.kill_once(points[told.kills % len(points)])
        told.answers += client.answers.total()
        told.failures += client.failures
    finally:
        life.service.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed if options.seed is not None else randbits(32)
    sys.stderr.write(f"seed {seed}\n")
    began = time.monotonic()
    with TemporaryDirectory(prefix="trackback-killed-") as folder:
        told = run(options.kills, seed, Path(folder), POINTS)
    for point, count in sorted(told.points.items()):
        sys.stdout.write(f"{point:20} {count:6}\n")
    for line in (*told.wrong, *told.failures[:20]):
        sys.stdout.write(f"wrong: {line}\n")
    sys.stdout.write(
        f"seed {seed}: {told.kills} kills in {time.monotonic() - began:.0f} s, {len(told.wrong)} inconsistent states, "
        f"{len(told.failures)} failed of {told.answers + len(told.failures)} requests\n"
    )
    return 1 if told.wrong or told.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/killed",
        description="Kills a rollout service with SIGKILL at its fail points and at any time, while it deploys, goes "
        "back, retires and bakes, and checks after each kill what the next one makes of it.",
        epilog=EXAMPLE,
    )
    parser.add_argument("--kills", type=int, default=300, help="how many (300)")
    parser.add_argument("--seed", type=int, help="of what is asked and when it is killed; a new one if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

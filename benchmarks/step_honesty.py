"""`benchmarks/step-honesty`: how often a step takes back a candidate that is as good as what is live, or lets one go on
that is not: simulated with the product's own checks, looks and decision, on requests whose distribution is known."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt

import numpy

from services.contract.checkout import ROOT
from services.contract.rollout_plan import RolloutPlan
from services.contract.rollout_step import Step, StepKind
from services.contract.verdict import Verdict, overall
from services.prediction.observed.figures import SECONDS_BUCKETS, bin_of
from services.rollout.analysis.checks import judge
from services.rollout.analysis.latencies import Latencies
from services.rollout.analysis.memory import Growth
from services.rollout.analysis.pace import Paces
from services.rollout.analysis.window import Side, Window
from services.rollout.steps.step import Next, decide
from services.rollout.steps.takeover import CAREFUL_LOOKS, LEVEL, Looks

PAGE = ROOT / "docs" / "rollout.md"
PLAN = RolloutPlan(canary=(0.25,), step=120.0, bake=0)
STEP = Step(kind=StepKind.CANARY, seconds=PLAN.step, share=PLAN.canary[0])
# Of a plan of three steps.
STEPS = 3
REQUESTS = (200, 1000, 10_000)
EQUAL = "nothing: as good as what is live"
_BOUNDS = numpy.array(SECONDS_BUCKETS)
_MEGABYTE = 1 << 20
_TABLE = re.compile(r"(<!-- table: step-honesty -->\n)(?:.*\n)*?(<!-- end of table -->\n)")
# What comes after the end of the step: its level is spent, and what is inconclusive waits.
LAST = CAREFUL_LOOKS


@dataclass(frozen=True)
class Release:
    """`errors` and `refused` are shares, `seconds` the median latency, of which `spread` is the deviation of its
    logarithm; answers are around `mean`; `leak` bytes a request."""

    errors: float = 0.005
    refused: float = 0.002
    seconds: float = 0.004
    spread: float = 0.5
    mean: float = 4000.0
    deviation: float = 1000.0
    leak: float = 0.0


LIVE = Release()
PLANTS: Mapping[str, Release] = {
    EQUAL: LIVE,
    "errors: half of what is allowed more": replace(LIVE, errors=0.01),
    "errors: just what is allowed more": replace(LIVE, errors=0.015),
    "errors: 2 % more": replace(LIVE, errors=0.025),
    "errors: 5 % more": replace(LIVE, errors=0.055),
    "latency: 1.2 times as slow": replace(LIVE, seconds=0.0048),
    "latency: just 1.5 times as slow": replace(LIVE, seconds=0.006),
    "latency: twice as slow": replace(LIVE, seconds=0.008),
    "answers: higher by a fifth of their deviation": replace(LIVE, mean=4200.0),
    "answers: higher by a half, just what is allowed": replace(LIVE, mean=4500.0),
    "answers: higher by their deviation": replace(LIVE, mean=5000.0),
    "memory: 100 kB more at each request": replace(LIVE, leak=100_000.0),
}


@dataclass(frozen=True)
class Line:
    """Of so many steps of so many requests of the candidate: how many went on, waited for more, and went back."""

    planted: str
    requests: int
    steps: int
    good: int
    undecided: int
    back: int


def counted(random: numpy.random.Generator, release: Release, requests: int) -> Side:
    seconds = release.seconds * random.lognormal(0.0, release.spread, requests)
    counts = numpy.bincount(numpy.searchsorted(_BOUNDS, seconds), minlength=len(_BOUNDS) + 1)
    answers = random.normal(release.mean, release.deviation, requests)
    return Side(
        requests=requests,
        errors=int(random.binomial(requests, release.errors)),
        refused=int(random.binomial(requests, release.refused)),
        latencies=Latencies(SECONDS_BUCKETS, tuple(int(count) for count in counts)),
        answers=Counter(str(bin_of(float(answer))) for answer in answers),
    )


def together(one: Side, more: Side) -> Side:
    counts = tuple(a + b for a, b in zip(one.latencies.counts, more.latencies.counts, strict=True))
    return Side(
        requests=one.requests + more.requests,
        errors=one.errors + more.errors,
        refused=one.refused + more.refused,
        latencies=Latencies(SECONDS_BUCKETS, counts),
        answers={key: one.answers.get(key, 0) + more.answers.get(key, 0) for key in {**one.answers, **more.answers}},
    )


def stepped(random: numpy.random.Generator, planted: Release, requests: int) -> Next:
    """What follows at the end of a step, or before it; the candidate has a quarter of the traffic."""
    looks, growth, paces = Looks(PLAN.step, LEVEL / STEPS), Growth(0), Paces()
    candidate = live = counted(random, LIVE, 0)
    for look in range(1, LAST + 1):
        elapsed, more = look * PLAN.step / LAST, requests * look // LAST - candidate.requests
        candidate = together(candidate, counted(random, planted, more))
        live = together(live, counted(random, LIVE, 3 * more))
        gained = growth.look(candidate.requests, int(planted.leak * candidate.requests + random.normal(0, _MEGABYTE)))
        paced = paces.look(candidate.latencies, live.latencies)
        checks = judge(Window(candidate, live, memory=gained, paces=paced), PLAN, looks.next(elapsed)[1])
        if overall(checks) is Verdict.FAIL:
            return Next.BACK
    return decide(PLAN, STEP, PLAN.step, checks)


def simulated(planted: str, requests: int, steps: int) -> Line:
    """The same steps each time."""
    seeds = numpy.random.SeedSequence([requests, len(planted)]).spawn(steps)
    found = [stepped(numpy.random.default_rng(seed), PLANTS[planted], requests) for seed in seeds]
    return Line(planted, requests, steps, *(found.count(what) for what in (Next.GO_ON, Next.STAY, Next.BACK)))


def table(lines: Iterable[Line]) -> str:
    rows = (
        f"| {one.planted} | {one.requests:,} | {one.steps:,} | {one.good / one.steps:.1%} | "
        f"{one.undecided / one.steps:.1%} | {one.back / one.steps:.1%} |"
        for one in lines
    )
    head = ["| planted | its requests | steps | goes on | waits for more | goes back |", "|---|--:|--:|--:|--:|--:|"]
    return "\n".join([*head, *rows, ""])


def with_table(page: str, text: str) -> str:
    return _TABLE.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)


def plan(steps: int, power_steps: int) -> Iterator[tuple[str, int, int]]:
    for planted in PLANTS:
        for requests in REQUESTS:
            # Of ten thousand requests each step takes as long as ten of a thousand.
            most = steps if planted == EQUAL else power_steps
            yield planted, requests, max(1, most // 10) if requests == REQUESTS[-1] else most


def lies(line: Line) -> bool:
    """Goes back more often than errors are allowed for, by three standard deviations of their count."""
    allowed = LEVEL / STEPS
    return line.back > line.steps * allowed + 3 * sqrt(line.steps * allowed * (1 - allowed))


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    lines = [simulated(*one) for one in plan(options.steps, options.power_steps)]
    sys.stdout.write(table(lines))
    if options.write:
        PAGE.write_text(with_table(PAGE.read_text(), table(lines)))
    return int(any(lies(one) for one in lines if one.planted == EQUAL))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/step-honesty",
        description="Simulates steps of a candidate beside what is live, with the checks and the looks of the rollout"
        " service, and prints how many of them go on, wait for more requests and go back. Exit 1 when more than"
        f" {100 * LEVEL / STEPS:.1f} % of those go back in which nothing is planted: {100 * LEVEL:.0f} % of a plan of"
        f" {STEPS} steps.",
    )
    number: Callable[..., argparse.Action] = partial(parser.add_argument, type=int)
    number("--steps", default=1000, help="in which nothing is planted, of each number of requests (%(default)s)")
    number("--power-steps", default=200, help="of each other line of the table (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/rollout.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The simulation of steps asks the product's own checks, and says so when they are wrong too often."""

from dataclasses import replace

import numpy
import pytest

from benchmarks.step_honesty import EQUAL, PLANTS, STEPS, Line, lies, plan, stepped, table, with_table
from services.rollout.steps.step import Next
from services.rollout.steps.takeover import LEVEL


@pytest.mark.parametrize(
    ("planted", "expected"),
    [(EQUAL, Next.GO_ON), ("errors: 5 % more", Next.BACK), ("latency: twice as slow", Next.BACK)],
)
def test_a_step_goes_on_with_what_is_good_and_back_with_what_is_bad(planted: str, expected: Next) -> None:
    assert stepped(numpy.random.default_rng(18), PLANTS[planted], 2000) is expected


def test_it_lies_where_more_steps_go_back_than_may() -> None:
    line = Line(EQUAL, 1000, 1000, good=980, undecided=0, back=20)
    assert pytest.approx(0.0167, abs=1e-4) == LEVEL / STEPS
    assert not lies(line)
    assert lies(replace(line, back=40))


def test_every_plant_is_simulated_with_each_number_of_requests() -> None:
    assert {(planted, requests) for planted, requests, _ in plan(10, 10)} == {
        (planted, requests) for planted in PLANTS for requests in (200, 1000, 10_000)
    }


def test_the_table_takes_its_place_on_the_page() -> None:
    page = "a\n<!-- table: step-honesty -->\nold\n<!-- end of table -->\nb\n"
    found = with_table(page, table([Line("nothing", 1000, 10, 9, 1, 0)]))
    assert "| nothing | 1,000 | 10 | 90.0% | 10.0% | 0.0% |" in found
    assert "old" not in found

"""compare seldom promotes a model that is worse by the margin: on pairs whose true difference is known."""

import re

import numpy
import pytest

from benchmarks.gate_honesty import AS_GOOD, AT_THE_MARGIN, BETTER, MOST_PROMOTED, PAGE, simulated
from benchmarks.simulated_pairs import KINDS, Kind, holdouts
from services.delivery.statistics.weighted_metrics import weighted_metrics

PAIRS, ROWS = 350, 300


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.metric))
def test_of_a_thousand_that_are_worse_by_the_margin_at_most_one_in_twenty_is_promoted(kind: Kind) -> None:
    assert simulated(kind, ROWS, AT_THE_MARGIN, PAIRS).share <= MOST_PROMOTED


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.metric))
def test_more_of_the_better_ones_are_promoted(kind: Kind) -> None:
    worse, as_good, better = (simulated(kind, ROWS, worse, 40).promoted for worse in (AT_THE_MARGIN, AS_GOOD, BETTER))
    assert worse < as_good < better


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.metric))
def test_the_true_difference_of_a_pair_is_what_was_asked_for(kind: Kind) -> None:
    (one,) = holdouts(kind, 1, 200_000, 0.3)
    (candidate,), (live,) = (
        weighted_metrics([kind.metric], kind.task, one.actual, answers)(numpy.ones((1, len(one.actual))))[0]
        for answers in (one.candidate, one.live)
    )
    error, of_live = (1 - candidate, 1 - live) if kind.task != "regression" else (candidate, live)
    assert error / of_live == pytest.approx(1.3, rel=0.02)


def test_the_table_in_the_docs_tells_of_ten_thousand_pairs_none_of_which_shows_a_gate_that_lies() -> None:
    lines = re.findall(
        r"^\| `(\w+)` \| (.*?) \| +([\d,]+) \| +([\d,]+) \| +([\d.]+)% \|$", PAGE.read_text(), flags=re.M
    )
    assert {metric for metric, *_ in lines} == {kind.metric for kind in KINDS}
    of_worse = [(int(pairs.replace(",", "")), float(share)) for _, what, _, pairs, share in lines if "worse" in what]
    assert sum(pairs for pairs, _ in of_worse) >= 10_000
    assert max(share for _, share in of_worse) <= 100 * MOST_PROMOTED

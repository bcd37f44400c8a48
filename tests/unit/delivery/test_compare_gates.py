"""The verdict of compare: what an interval within a margin proves, and what is proved of many slices at once."""

from typing import Any

import numpy
import pytest

from services.contract.comparison import Difference
from services.contract.gates import CompareGate, Margin
from services.contract.verdict import Verdict
from services.delivery.gates.comparison_words import sentence
from services.delivery.gates.non_inferiority import better_or_worse, checks, decides, differences
from services.delivery.statistics.intervals import Paired

METRIC = "mean_absolute_error"


def paired(low: float, high: float, **changes: Any) -> Paired:
    """Of a live error of 100, with resamples spread evenly over somewhat more than the interval."""
    middle = (low + high) / 2
    known = {
        "metric": METRIC,
        "slice": None,
        "rows": 1000,
        "candidate": 100.0 - middle,
        "live": 100.0,
        "better_by": middle,
        "low": low,
        "high": high,
        "resampled": middle + (high - low) / 0.95 * numpy.linspace(-0.5, 0.5, 10_001),
    }
    return Paired(**(known | changes))


def gate(**changes: Any) -> CompareGate:
    return CompareGate.model_validate({"metric": METRIC, "margin": 0.1, "slice_margin": 0.2, **changes})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-10.0, 5.0, "pass"),
        (-9.0, -1.0, "pass"),
        (-10.1, 5.0, "inconclusive"),
        (-30.0, -10.0, "inconclusive"),
        (-30.0, -10.1, "fail"),
    ],
)
def test_only_an_interval_on_one_side_of_the_margin_decides(low: float, high: float, expected: str) -> None:
    (found,) = differences([paired(low, high)], gate())
    assert found.allowed == pytest.approx(10.0)
    assert found.verdict.value == expected
    assert checks([found], gate())[0].verdict is found.verdict


def test_fewer_rows_than_the_gate_asks_for_prove_nothing_however_good_they_look() -> None:
    found = differences([paired(5, 9, rows=99)], gate(min_rows=100))
    assert found[0].verdict is Verdict.INCONCLUSIVE
    assert "99 rows, fewer than 100" in checks(found, gate(min_rows=100))[0].found
    assert sentence(found, gate(min_rows=100), "1-aaaaaaaa").startswith("99 rows are fewer than the 100 that the gate")


def test_an_absolute_margin_is_in_the_metrics_unit() -> None:
    (found,) = differences([paired(-14, -1)], gate(margin=Margin(absolute=15)))
    assert (found.verdict, found.allowed) == (Verdict.PASS, 15)


@pytest.mark.parametrize("margin", [{"relative": 0.15}, {"absolute": 15}])
def test_a_margin_is_the_same_share_of_the_error_of_every_other_metric(margin: dict[str, float]) -> None:
    r2 = paired(-0.01, 0.01, metric="r2_score", candidate=0.9, live=0.8)
    found = differences([paired(-5, 5), r2], gate(margin=margin))
    assert found[1].allowed == pytest.approx(0.15 * 0.2)


def test_a_share_of_no_error_at_all_is_nothing() -> None:
    perfect = paired(0, 0, live=0.0)
    r2 = paired(0, 0, metric="r2_score", live=1.0)
    assert [one.allowed for one in differences([perfect, r2], gate(margin={"relative": 0.1}))] == [0, 0]
    assert [one.allowed for one in differences([perfect, r2], gate(margin={"absolute": 2}))] == [2, 0]


def test_a_score_of_which_more_is_better_has_the_error_that_it_lacks_of_one() -> None:
    found = differences([paired(-0.01, 0.01, metric="accuracy_score", live=0.9)], gate(metric="accuracy_score"))
    assert found[0].allowed == pytest.approx(0.1 * 0.1)


def test_a_p_value_is_the_share_of_resamples_that_are_no_worse_than_allowed_and_never_zero() -> None:
    half = paired(-20, 0)
    (found,) = differences([half], gate())
    assert found.p_value == pytest.approx(0.5, abs=1e-3)
    (worse,) = differences([paired(-90, -80)], gate())
    assert worse.p_value == 1 / 10_002


def test_resamples_without_a_value_do_not_count_as_worse() -> None:
    resampled = numpy.append(numpy.full(50, -99.0), numpy.full(50, numpy.nan))
    (found,) = differences([paired(-99, -99, resampled=resampled)], gate())
    assert found.p_value == 1 / 51


def slices(count: int, worst: Paired | None = None) -> list[Paired]:
    good = [paired(-15, 25, slice=f"cut = c{n}") for n in range(count - 1)]
    return [*good, worst or paired(-15, 25, slice="cut = last")]


def test_better_overall_but_surely_worse_on_one_slice_fails_at_the_slices() -> None:
    found = differences([paired(5, 15), *slices(8, paired(-60, -40, slice="cut = Fair"))], gate())
    whole, sliced = checks(found, gate())
    assert (whole.verdict, whole.gate) == (Verdict.PASS, "compare")
    assert (sliced.verdict, sliced.gate) == (Verdict.FAIL, "compare-slices")
    assert sliced.found == "cut = Fair: 150, live has 100, 20 worse is allowed (p 0.0008)"
    assert sentence(found, gate(), "1-aaaaaaaa") == (
        "not worse than live, but surely worse on cut = Fair: mean_absolute_error 90, live 1-aaaaaaaa has 100; "
        "it is 5 to 15 better with 95% confidence, at most 10 worse is allowed"
    )


def test_a_slice_that_is_worse_by_chance_among_many_is_not_called_worse() -> None:
    """Its own interval is wholly below what is allowed, and one of forty such is by chance alone."""
    unlucky = paired(-60, -20.2, slice="cut = Fair")
    alone, among = (differences([paired(0, 1), *slices(count, unlucky)], gate()) for count in (1, 40))
    p_values = [[one.p_value for one in found if one.slice == "cut = Fair"][0] for found in (alone, among)]
    assert p_values[0] == p_values[1] < 0.025
    assert checks(alone, gate())[1].verdict is Verdict.FAIL
    assert checks(among, gate())[1].verdict is Verdict.PASS
    assert checks(among, gate())[1].found == "none of 40 slices"


def test_a_slice_on_which_nothing_is_sure_stops_nothing_and_says_so() -> None:
    found = differences([paired(0, 1), paired(-90, 90, slice="cut = Fair")], gate())
    assert found[1].verdict is Verdict.INCONCLUSIVE
    assert checks(found, gate())[1].verdict is Verdict.PASS


def test_another_metric_tells_and_neither_decides_nor_takes_from_what_the_slices_can_prove() -> None:
    worse = [paired(-60, -40, metric="root_mean_squared_error", slice=name) for name in (None, "cut = Fair")]
    fair = paired(-60, -40, slice="cut = Fair")
    found = differences([paired(5, 9), fair, *worse], gate())
    assert [one.verdict for one in found] == [Verdict.PASS, *[Verdict.FAIL] * 3]
    assert [round(one.adjusted_p_value / one.p_value) for one in found] == [1, 1, 2, 2]
    assert len(checks(found, gate())) == 2


def test_a_metric_without_a_value_on_a_slice_is_left_out_and_on_all_rows_decides_nothing() -> None:
    found = differences([paired(0, 1), paired(0, numpy.nan, slice="cut = Fair")], gate())
    assert (len(found), decides(found, gate())) == (1, True)
    assert not decides(differences([paired(0, 1, live=numpy.nan), paired(0, 1, slice="a")], gate()), gate())
    assert not decides((), gate())


def test_at_most_three_slices_are_named_in_the_sentence_the_surest_first() -> None:
    worst = [paired(-60, -40, slice=f"cut = c{n}", resampled=numpy.full(1000 * (n + 1), -50.0)) for n in range(4)]
    found: tuple[Difference, ...] = differences([paired(-60, -40), *worst], gate())
    text = sentence(found, gate(), "1-aaaaaaaa")
    assert text.startswith("worse than live, and surely worse on cut = c3, cut = c2, cut = c1 and 1 more: mean_absolu")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (461.34, 489.2, "461.3 to 489.2 better"),
        (-15.0, -3.0, "3 to 15 worse"),
        (-3.0, 15.0, "from 3 worse to 15 better"),
        (0.0, 0.0, "0 to 0 better"),
        (-0.0, 2.0, "0 to 2 better"),
        (-2.0, -0.0, "0 to 2 worse"),
    ],
)
def test_an_interval_is_told_without_a_minus(low: float, high: float, words: str) -> None:
    assert better_or_worse(low, high) == words

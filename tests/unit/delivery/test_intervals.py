"""Bootstrap intervals against SciPy's, and what they must not depend on."""

from typing import Any

import numpy
import pytest
from scipy.stats import bootstrap

from services.contract.prediction import Labelled
from services.delivery.statistics.intervals import Group, estimates, paired
from services.delivery.statistics.resampling import over_resamples

RANDOM = numpy.random.default_rng(3)


def everyone(rows: int) -> Group:
    return Group(None, numpy.ones(rows, dtype=bool))


def labels(right: numpy.ndarray) -> list[Any]:
    return [Labelled(label="a" if one else "b", probability=0.9) for one in right]


@pytest.mark.parametrize("rows", [2, 30, 2000])
def test_a_resample_is_drawn_with_replacement(rows: int) -> None:
    counts = over_resamples(rows, lambda counts: counts[:, :30], 5000).astype(float)
    assert (over_resamples(rows, lambda counts: counts.sum(axis=1, keepdims=True), 100) == rows).all()
    # Multinomial: each count has mean 1 and variance 1 - 1/n.
    assert counts.mean() == pytest.approx(1, abs=0.02)
    assert counts.var(axis=0).mean() == pytest.approx(1 - 1 / rows, abs=0.03)


def test_resamples_are_the_same_each_time() -> None:
    once, again = (over_resamples(50, lambda counts: counts, 200) for _ in range(2))
    assert (once == again).all()


@pytest.mark.parametrize("rows", [40, 400])
def test_the_interval_of_skewed_losses_is_scipys(rows: int) -> None:
    losses = RANDOM.exponential(1, rows)
    ((ours,),) = estimates(["mean_absolute_error"], "regression", [0.0] * rows, losses.tolist(), [everyone(rows)], 0.95)
    theirs = bootstrap((losses,), numpy.mean, n_resamples=10_000, method="BCa", rng=0).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low))


def test_the_interval_of_a_paired_difference_is_scipys() -> None:
    actual, good, bad = RANDOM.normal(0, 1, (3, 200))
    (ours,) = paired(
        ["root_mean_squared_error"], "regression", actual.tolist(), (actual + good / 2).tolist(),
        (actual + bad).tolist(), [everyone(200)], 0.9,
    )  # fmt: skip

    def better_by(one: numpy.ndarray, other: numpy.ndarray, axis: int) -> numpy.ndarray:
        return numpy.asarray(numpy.sqrt((other**2).mean(axis)) - numpy.sqrt((one**2).mean(axis)))

    theirs = bootstrap(
        (good / 2, bad), better_by, n_resamples=10_000, confidence_level=0.9, paired=True, rng=0
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * (theirs.high - theirs.low))


def test_a_slice_is_judged_on_its_own_rows() -> None:
    right = numpy.repeat([True, False, True], [600, 100, 300])
    groups = [everyone(1000), Group("first half", numpy.arange(1000) < 500), Group("rest", numpy.arange(1000) >= 500)]
    (of_all,), (of_first,), (of_rest,) = estimates(
        ["accuracy_score"], "classification", ["a"] * 1000, labels(right), groups, 0.95
    )
    assert (of_all.value, of_all.rows) == (0.9, 1000)
    assert (of_first.low, of_first.value, of_first.high) == (1, 1, 1)
    assert (of_rest.value, of_rest.rows) == (0.8, 500)
    assert of_rest.low < 0.8 < of_rest.high < 0.85


def test_a_metric_that_has_no_value_on_a_slice_is_left_out_there() -> None:
    answers = [Labelled(label=0, probability=p) for p in (0.1, 0.2, 0.3, 0.4)] * 30
    groups = [everyone(120), Group("no ones", numpy.arange(120) < 60)]
    of_all, of_slice = estimates(
        ["roc_auc_score", "brier_score_loss"], "binary-classification", [0] * 60 + [0, 1] * 30, answers, groups, 0.95
    )
    assert [one.metric for one in of_all] == ["roc_auc_score", "brier_score_loss"]
    assert [one.metric for one in of_slice] == ["brier_score_loss"]


def test_a_group_may_have_metrics_and_a_confidence_of_its_own() -> None:
    right = labels(numpy.arange(400) % 10 > 0)
    groups = [everyone(400), Group("half", numpy.arange(400) < 200, 0.99, ("f1_score",))]
    asked = ["accuracy_score", "f1_score"]
    of_all, of_half = estimates(asked, "classification", ["a"] * 400, right, groups, 0.9)
    assert [(one.metric, one.confidence) for one in of_all] == [("accuracy_score", 0.9), ("f1_score", 0.9)]
    assert [(one.metric, one.confidence) for one in of_half] == [("f1_score", 0.99)]
    compared = paired(asked, "classification", ["a"] * 400, right, labels(numpy.ones(400)), groups, 0.9)
    assert [(one.slice, one.metric) for one in compared] == [
        (None, "accuracy_score"), (None, "f1_score"), ("half", "f1_score"),
    ]  # fmt: skip
    assert all(one.high < 0 for one in compared)


def test_two_models_that_answer_alike_differ_by_nothing() -> None:
    answers = labels(RANDOM.random(300) < 0.9)
    (same,) = paired(["accuracy_score"], "classification", ["a"] * 300, answers, answers, [everyone(300)], 0.95)
    assert (same.better_by, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", ["average_precision_score", "roc_auc_score", "log_loss", "brier_score_loss"])
def test_the_better_model_is_better_and_the_other_is_worse_by_as_much(metric: str) -> None:
    actual = RANDOM.integers(0, 2, 1000)
    good = numpy.clip(0.5 + 0.2 * (2 * actual - 1) + RANDOM.normal(0, 0.1, 1000), 0, 1)
    bad = numpy.clip(good + RANDOM.normal(0, 0.3, 1000), 0, 1)
    one, other = ([Labelled(label=0, probability=p) for p in some.tolist()] for some in (good, bad))
    (better,) = paired([metric], "binary-classification", actual.tolist(), one, other, [everyone(1000)], 0.95)
    (worse,) = paired([metric], "binary-classification", actual.tolist(), other, one, [everyone(1000)], 0.95)
    assert 0 < better.low < better.better_by < better.high
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low), rel=0.05)
    assert worse.high < 0
    assert better.resampled.shape == (10_000,)

"""Thresholds and slices with planted answers: what is sure decides, and what is not says what would."""

from typing import Any

import numpy
import pytest

from services.contract.gates import Gates, Threshold
from services.contract.model_config import ModelConfig
from services.contract.prediction import Labelled, Prediction
from services.contract.verdict import Check, Estimate, Verdict, overall
from services.delivery.gates.bounds import judged, what_would_decide
from services.delivery.gates.quality import quality_checks
from services.delivery.scoring.holdout import Holdout
from services.delivery.statistics.groups import slices_of

RANDOM = numpy.random.default_rng(7)
COLUMNS = {"cut": "string", "carat": "double", "sold": "date", "polished": "boolean"}


def config(task: str = "classification", **gates: Any) -> ModelConfig:
    metric = {"regression": "mean_absolute_error", "classification": "accuracy_score"}.get(task, "log_loss")
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "made up",
            "library": "sklearn",
            "task": task,
            "data": {
                "source": "made up",
                "target": "y",
                "columns": COLUMNS,
                "optional": ["carat"],
                "holdout_sha256": None,
            },
            "variants": {"only": {}},
            "gates": {"latency_p99_ms": 10, "compare": {"metric": metric}, **gates},
        }
    )


def holdout(rows: int, cut: Any = "Ideal", actual: Any = "a") -> Holdout:
    cuts = [cut] * rows if isinstance(cut, str) else list(cut)
    cells = [[cuts[n], float(n), f"2020-01-{n % 28 + 1:02}", n % 2 == 0] for n in range(rows)]
    return Holdout(cells, [actual] * rows, [])


def answers(right: Any, probability: float = 0.9) -> list[Prediction]:
    return [Labelled(label="a" if one else "b", probability=probability) for one in right]


def right(rows: int, share: float) -> numpy.ndarray:
    return numpy.arange(rows) % 100 < 100 * share


def found(checks: list[Check]) -> dict[str, Check]:
    return {one.name: one for one in checks}


@pytest.mark.parametrize(("least", "verdict"), [(0.85, "pass"), (0.9, "inconclusive"), (0.95, "fail")])
def test_only_an_interval_on_one_side_of_the_bound_decides(least: float, verdict: str) -> None:
    declared = config(thresholds={"accuracy_score": {"min": least}})
    checks = found(quality_checks(declared, holdout(1000), answers(right(1000, 0.91))))
    check = checks["accuracy_score"]
    assert check.verdict == verdict
    assert check.estimate is not None
    assert (check.estimate.value, check.estimate.min, check.estimate.rows) == (0.91, least, 1000)
    assert check.estimate.low < 0.91 < check.estimate.high


@pytest.mark.parametrize(
    ("bounds", "value", "low", "high", "verdict"),
    [
        (Threshold(min=0.8), 0.85, 0.8, 0.9, "pass"),
        (Threshold(max=0.8), 0.7, 0.6, 0.8, "pass"),
        (Threshold(min=0.8, max=0.9), 0.85, 0.82, 0.95, "inconclusive"),
        (Threshold(min=0.8, max=0.9), 0.95, 0.91, 0.99, "fail"),
        (Threshold(max=10), 12, 11, 13, "fail"),
        (Threshold(max=10), 12, 9, 13, "inconclusive"),
    ],
)
def test_bounds_of_both_sides(bounds: Threshold, value: float, low: float, high: float, verdict: str) -> None:
    assert judged(bounds, Estimate(metric="m", value=value, low=low, high=high, confidence=0.95, rows=100)) == verdict


@pytest.mark.parametrize(
    ("bounds", "value", "words"),
    [
        # Half as far from the bound as from the interval's end: twice as narrow takes four times the rows.
        (Threshold(min=0.8), 0.85, "about 400 rows of hold-out in place of 100, or a bound of 0.75 or less would pass"),
        (Threshold(max=0.9), 0.85, "about 400 rows of hold-out in place of 100, or a bound of 0.95 or more would pass"),
        (Threshold(min=0.9), 0.85, "a better model, or a bound of 0.75 or less would pass"),
    ],
)
def test_an_undecided_threshold_says_what_would_decide(bounds: Threshold, value: float, words: str) -> None:
    estimate = Estimate(metric="m", value=value, low=0.75, high=0.95, confidence=0.95, rows=100)
    assert what_would_decide(bounds, estimate) == f"{words}: it is inside the interval"


def test_a_metric_that_cannot_be_computed_is_inconclusive() -> None:
    bounds = config("binary-classification", thresholds={"roc_auc_score": {"min": 0.7}})
    zeros: list[Prediction] = [Labelled(label=0, probability=0.01)] * 200
    checks = found(quality_checks(bounds, holdout(200, actual=0), zeros))
    assert checks["roc_auc_score"].verdict is Verdict.INCONCLUSIVE
    assert "cannot be computed" in checks["roc_auc_score"].found


def test_nothing_is_concluded_where_a_row_has_no_answer() -> None:
    checks = quality_checks(config(thresholds={"accuracy_score": {"min": 0.1}}), holdout(100), answers(right(99, 1)))
    assert {one.verdict for one in checks} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(("said", "verdict"), [(0.9, "pass"), (1.0, "pass"), (0.6, "fail")])
def test_a_classification_is_held_to_its_probabilities_by_default(said: float, verdict: str) -> None:
    """It is right in nine of ten; a gap of a tenth is the bound, which is not surely passed."""
    checks = quality_checks(
        config(thresholds={"accuracy_score": {"min": 0.5}}), holdout(500), answers(right(500, 0.9), said)
    )
    check = found(checks)["expected_calibration_error"]
    assert (check.verdict, check.expected) == (verdict, "≤ 0.1, by default")


def test_a_declared_calibration_bound_takes_the_place_of_the_default_one() -> None:
    bounds = {"accuracy_score": {"min": 0.5}, "expected_calibration_error": {"max": 0.5}}
    checks = quality_checks(config(thresholds=bounds), holdout(500), answers(right(500, 0.9), 0.6))
    assert [(one.name, one.verdict) for one in checks] == [
        ("accuracy_score", "pass"),
        ("expected_calibration_error", "pass"),
    ]


def test_one_slice_that_is_much_worse_fails_while_all_rows_pass() -> None:
    cut = ["Ideal"] * 900 + ["Fair"] * 200
    gates: dict[str, Any] = {"thresholds": {"accuracy_score": {"min": 0.8}}, "slices": ["cut"]}
    checks = found(quality_checks(config(**gates), holdout(1100, cut), answers([*right(900, 0.97), *right(200, 0.6)])))
    assert checks["accuracy_score"].verdict is Verdict.PASS
    assert checks["cut = Ideal: accuracy_score"].verdict is Verdict.PASS
    assert checks["cut = Fair: accuracy_score"].verdict is Verdict.FAIL
    assert checks["cut"].found == "2 judged"


def test_a_slice_in_doubt_passes_and_says_so() -> None:
    cut = ["Ideal"] * 900 + ["Fair"] * 100
    gates: dict[str, Any] = {"thresholds": {"accuracy_score": {"min": 0.8}}, "slices": ["cut"]}
    checks = found(quality_checks(config(**gates), holdout(1000, cut), answers([*right(900, 0.97), *right(100, 0.78)])))
    assert checks["cut = Fair: accuracy_score"].verdict is Verdict.PASS
    assert "; not surely beyond the bound, 100 rows" in checks["cut = Fair: accuracy_score"].found


def test_a_slice_has_bounds_of_its_own() -> None:
    own = {"thresholds": {"accuracy_score": {"min": 0.5}}}
    gates: dict[str, Any] = {"thresholds": {"accuracy_score": {"min": 0.95}}, "slices": {"cut": own}}
    checks = found(quality_checks(config(**gates), holdout(1000), answers(right(1000, 0.8))))
    assert checks["accuracy_score"].verdict is Verdict.FAIL
    assert checks["cut = Ideal: accuracy_score"].verdict is Verdict.PASS


def test_small_slices_are_named_and_not_judged() -> None:
    cut = ["Ideal"] * 290 + [f"rare-{n}" for n in range(8)] + ["Fair"] * 2
    gates: dict[str, Any] = {"thresholds": {"accuracy_score": {"min": 0.8}}, "slices": ["cut"]}
    checks = found(quality_checks(config(**gates), holdout(300, cut), answers([*right(290, 1), *[False] * 10])))
    assert checks["cut"].verdict is Verdict.PASS
    assert checks["cut"].found == (
        "1 judged; too few rows to be judged: cut = Fair (2), cut = rare-0 (1), cut = rare-1 (1), cut = rare-2 (1), "
        "cut = rare-3 (1) and 4 others"
    )
    assert not any(name.startswith("cut = Fair") for name in checks)


def test_a_column_whose_slices_are_all_small_is_inconclusive() -> None:
    gates: dict[str, Any] = {"thresholds": {"accuracy_score": {"min": 0.8}}, "slices": ["cut"]}
    checks = found(quality_checks(config(**gates), holdout(60), answers(right(60, 1))))
    assert (checks["cut"].verdict, checks["cut"].found) == (
        "inconclusive",
        "0 judged; too few rows to be judged: cut = Ideal (60)",
    )


def test_all_slices_together_are_as_sure_as_one_threshold() -> None:
    """Of forty that are all exactly as good as the bound, one in forty would fail at 95% each."""
    cut = [f"{n % 40:02}" for n in range(40 * 100)]
    declared = config(thresholds={"accuracy_score": {"min": 0.9}}, slices=["cut"])
    given = answers(numpy.random.default_rng(4).random(len(cut)) < 0.9)
    of_slices = [one for one in quality_checks(declared, holdout(len(cut), cut), given) if one.gate == "slices"]
    (confidence,) = {one.estimate.confidence for one in of_slices if one.estimate}
    assert confidence == pytest.approx(1 - 0.05 / 40)
    assert min(one.estimate.high for one in of_slices if one.estimate) < 0.93
    assert overall(of_slices) is Verdict.PASS


def names(rows: list[list[Any]], **slices: Any) -> list[list[tuple[str, int]]]:
    declared = config(thresholds={"accuracy_score": {"min": 0.8}}, slices=slices)
    found_slices = slices_of(declared, rows, ["a", "b"] * (len(rows) // 2))
    return [[(str(group.name), int(group.rows.sum())) for group in one.groups] for one in found_slices]


def test_slices_of_each_type_of_column() -> None:
    nan = float("nan")
    rows = [["", nan if n < 40 else float(n), f"2020-0{n // 50 + 1}-01", n % 4 == 0] for n in range(200)]
    few = {"min_rows": 10}
    assert names(rows, cut=few, carat=few, sold=few | {"quantiles": 2}, polished=few, y=few) == [
        [("cut = ''", 200)],
        [(name, 40) for name in ("carat ≤ 79", "79 < carat ≤ 119", "119 < carat ≤ 159")]
        + [("carat > 159", 40), ("carat missing", 40)],
        [("sold ≤ 2020-02-01", 100), ("sold > 2020-02-01", 100)],
        [("polished = False", 150), ("polished = True", 50)],
        [("y = a", 100), ("y = b", 100)],
    ]  # fmt: skip


def test_a_value_that_many_rows_have_is_one_slice() -> None:
    rows = [["", 0.0 if n < 150 else 1.0, "2020-01-01", True] for n in range(200)]
    assert names(rows, carat={"min_rows": 10}, sold={}) == [
        [("carat ≤ 0", 150), ("carat > 0", 50)],
        [("sold, all values", 200)],
    ]


def test_each_row_is_in_one_slice_of_a_column() -> None:
    rows = [["abc"[n % 3], float(RANDOM.integers(0, 9)), f"2020-01-{n % 28 + 1:02}", True] for n in range(300)]
    slices = {column: {"min_rows": 2, "quantiles": 7} for column in COLUMNS}
    declared = config(thresholds={"accuracy_score": {"min": 0.8}}, slices=slices)
    for one in slices_of(declared, rows, ["a"] * 300):
        assert numpy.all(sum(group.rows.astype(int) for group in one.groups) == 1)


def test_a_binary_label_is_two_slices() -> None:
    declared = config("binary-classification", thresholds={"log_loss": {"max": 0.5}}, slices={"y": {"min_rows": 2}})
    (one,) = slices_of(declared, holdout(10).rows, [0, 1] * 5)
    assert [group.name for group in one.groups] == ["y = 0", "y = 1"]


def test_slices_may_be_a_list_of_columns() -> None:
    gates = {"thresholds": {"accuracy_score": {"min": 1}}, "latency_p99_ms": 1, "compare": {"metric": "accuracy_score"}}
    assert Gates.model_validate(gates | {"slices": ["cut"]}).slices["cut"].min_rows == 100

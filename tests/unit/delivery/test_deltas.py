"""What compare tells beside its verdict: flips, significance, shift, costs and what a person has to know."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest

from services.contract.comparison import MODEL_SIZE, Cost
from services.contract.prediction import Labelled
from services.contract.task import Task
from services.delivery.deltas.answered import Answered, rightness
from services.delivery.deltas.costs import MEMORY, costs
from services.delivery.deltas.flips import flips
from services.delivery.deltas.shift import shift
from services.delivery.deltas.significance import significance
from services.delivery.deltas.warnings import too_small, warnings
from services.delivery.statistics.groups import Slices
from tests.support.release_factory import ReleasePlan, build_release


def answered(task: Task, actual: list[Any], candidate: list[Any], live: list[Any]) -> Answered:
    rows = [[float(place), "Ideal"] for place in range(len(actual))]
    return Answered(task, ("carat", "cut"), rows, actual, candidate, live)


def says(label: int | str, probability: float) -> Labelled:
    return Labelled(label=label, probability=probability)


TEXTS = answered(
    "classification",
    ["de", "de", "fr", "fr", "nl"],
    [says("de", 0.9), says("nl", 0.6), says("de", 0.9), says("fr", 0.5), says("de", 0.4)],
    [says("de", 0.8), says("de", 0.5), says("fr", 0.7), says("nl", 0.5), says("de", 0.4)],
)
# The live model errs by 0, 2, 2, 4: by 2 on average.
PRICES = answered("regression", [10.0] * 4, [13.0, 12.0, 19.0, 11.0], [10.0, 12.0, 12.0, 14.0])


def test_a_label_that_was_right_and_is_wrong_is_a_negative_flip_the_surest_error_first() -> None:
    found = flips(TEXTS, rightness(TEXTS))
    assert (found.negative, found.positive, found.rows) == (2, 1, 5)
    assert [one.inputs["carat"] for one in found.worst] == [2.0, 1.0]
    first = found.worst[0]
    assert (first.actual, first.candidate, first.live) == ("fr", "de (0.900)", "fr (0.700)")


def test_a_number_is_right_that_errs_no_more_than_live_does_on_average() -> None:
    found = flips(PRICES, rightness(PRICES))
    assert found.right == "off by at most 2, the live model's mean error"
    assert (found.negative, found.positive) == (2, 1)
    # 9 off in place of 2, then 3 off in place of 0.
    assert [(one.candidate, one.live) for one in found.worst] == [(19.0, 12.0), (13.0, 10.0)]


def test_the_same_answers_flip_nothing_not_even_by_rounding() -> None:
    same = answered("regression", [0.3] * 3, [0.1 + 0.2] * 3, [0.3] * 3)
    found = flips(same, rightness(same))
    assert (found.negative, found.positive, found.worst) == (0, 0, ())


def test_a_binary_label_flips_by_its_label_and_the_worst_by_its_probability() -> None:
    sides = answered("binary-classification", [1, 0], [says(0, 0.1), says(1, 0.6)], [says(1, 0.9), says(0, 0.4)])
    found = flips(sides, rightness(sides))
    assert [one.candidate for one in found.worst] == ["0 (0.100)", "1 (0.600)"]


def test_of_many_flips_fifty_are_shown_and_what_is_missing_is_nothing() -> None:
    rows = 80
    many = answered("regression", [0.0] * rows, [100.0 + n for n in range(rows)], [0.0] * rows)
    for row in many.rows:
        assert isinstance(row, list)
        row[0] = math.nan
    found = flips(many, rightness(many))
    assert (found.negative, len(found.worst), found.worst[0].candidate) == (rows, 50, 179.0)
    assert found.worst[0].inputs == {"carat": None, "cut": "Ideal"}


def test_labels_are_tested_by_mcnemar_and_numbers_by_permutation() -> None:
    of_labels = significance(TEXTS, rightness(TEXTS), "accuracy_score")
    assert (of_labels.name, of_labels.p_value) == ("McNemar's exact test", 1.0)
    assert of_labels.words == "only the candidate is right on 1 rows, only live on 2"
    of_numbers = significance(PRICES, rightness(PRICES), "mean_absolute_error")
    assert of_numbers.name == "paired permutation test"
    assert of_numbers.words.startswith("absolute errors of 4 rows")


def test_the_permutation_is_of_the_errors_that_the_metric_is_made_of() -> None:
    """Many errors got a little smaller, few much larger: less error on average, more when it is squared."""
    live = numpy.full(400, 10.0)
    candidate = numpy.where(numpy.arange(400) % 20 == 0, 24.0, 8.0)
    sides = answered("regression", [0.0] * 400, candidate.tolist(), live.tolist())
    right = rightness(sides)
    assert significance(sides, right, "mean_absolute_error").p_value < 0.001
    assert significance(sides, right, "root_mean_squared_error").p_value > 0.02


def test_answers_that_moved_are_told_in_words() -> None:
    numbers = numpy.linspace(0, 1, 200)
    moved = shift(answered("regression", [0.0] * 200, (numbers + 0.5).tolist(), numbers.tolist()))
    assert moved.words.startswith("the answered numbers moved far: stability index")
    assert moved.ks == pytest.approx(0.5, abs=0.01)
    assert moved.ks_p_value < 1e-6
    same = shift(answered("regression", [0.0] * 200, numbers.tolist(), numbers.tolist()))
    assert (same.psi, same.ks, same.ks_p_value) == (0, 0, 1)


def test_of_many_labels_it_is_the_labels_that_move() -> None:
    others = [says(name, 0.9) for name in ("de", "de", "de", "de", "fr")]
    assert shift(answered("classification", ["de"] * 5, others, others[::-1])).psi == 0
    nl = [says("nl", 0.9)] * 5
    assert shift(answered("classification", ["de"] * 5, nl, others)).words.startswith("the answered labels moved far")
    chances = [says(1, 0.9)] * 50 + [says(0, 0.1)] * 50
    assert shift(answered("binary-classification", [1] * 100, chances, chances)).words.startswith("the answered probab")


def test_only_what_was_measured_of_both_is_a_cost() -> None:
    found = costs({MODEL_SIZE: 20.0, MEMORY: 5.0}, {MODEL_SIZE: 10.0})
    assert found == (Cost(name=MODEL_SIZE, unit="bytes", candidate=20.0, live=10.0),)


def test_a_holdout_that_changed_since_the_delivery_is_said_and_so_is_a_model_compared_with_itself(
    tmp_path: Path,
) -> None:
    live = build_release(tmp_path, ReleasePlan()).manifest
    (same,) = warnings(live.candidate, live.unit, live)
    assert same == "the candidate has the same files as live 1-aaaaaaaa: a model is compared with itself"
    holdout = live.candidate.run.holdout.model_copy(update={"sha256": "e" * 64, "rows": 9})
    run = live.candidate.run.model_copy(update={"holdout": holdout})
    other = live.candidate.model_copy(update={"run": run, "digest": "f" * 64})
    (changed,) = warnings(other, live.unit, live)
    assert "changed since live 1-aaaaaaaa was delivered (4 rows, 222222222222, then; 9 rows, eeeeeee" in changed
    (unit,) = warnings(live.candidate.model_copy(update={"digest": "f" * 64}), "euros", live)
    assert unit == "the candidate answers in 'euros' and live in 'dollars': errors in two units do not compare"


def test_slices_that_are_too_small_to_be_compared_are_named() -> None:
    few = Slices("cut", (), {f"cut = c{n}": n for n in range(1, 8)})
    assert list(too_small([few, Slices("color", (), {})])) == [
        "too few rows to be compared apart: cut = c1, cut = c2, cut = c3, cut = c4, cut = c5 and 2 more"
    ]

"""What a hold-out cannot judge is named: other columns, too few rows, classes that are on one side only."""

from pathlib import Path

import pytest

from services.contract.gates import CompareGate
from services.contract.model_config import ModelConfig
from services.contract.verdict import Verdict
from services.delivery.gates.holdout import class_checks, column_check, row_check
from services.delivery.scoring.messages import Scores


def config(min_rows: int = 100) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "made up",
            "library": "sklearn",
            "task": "classification",
            "data": {
                "source": "made up",
                "target": "kind",
                "columns": {"size": "double", "colour": "string"},
                "holdout_sha256": None,
            },
            "variants": {"only": {}},
            "gates": {
                "thresholds": {"accuracy_score": {"min": 0}},
                "latency_p99_ms": 1,
                "compare": CompareGate(metric="accuracy_score", min_rows=min_rows).model_dump(),
            },
        }
    )


def scores(*classes: str) -> Scores:
    return Scores(classes=classes, predictions=(), edges=())


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("size,colour,kind", "size, colour, kind"),
        ("size,kind", "without colour: log the run again with this model.yaml"),
        ("size,color,kind", "without colour and with color: log the run again with this model.yaml"),
        ("colour,size,kind", "another order: colour, size, kind: log the run again with this model.yaml"),
        ("size,size,colour,kind", "another order: size, size, colour, kind: log the run again with this model.yaml"),
        ("", "without colour, kind, size: log the run again with this model.yaml"),
    ],
)
def test_other_columns_are_named(header: str, found: str, tmp_path: Path) -> None:
    file = tmp_path / "holdout.csv"
    file.write_text(f"{header}\n" if header else "")
    check = column_check(file, config())
    assert check.found == found
    assert check.verdict is (Verdict.FAIL if "again" in found else Verdict.PASS)


def test_too_few_rows_are_inconclusive() -> None:
    few, enough = row_check(99, config()), row_check(100, config())
    assert (few.verdict, few.found) == (
        Verdict.INCONCLUSIVE,
        "99, too few to tell: hold out more (data.holdout_percent)",
    )
    assert few.expected == "at least 100 rows (gates.compare.min_rows)"
    assert (enough.verdict, enough.found) == (Verdict.PASS, "100")


def test_a_label_that_the_model_does_not_know_fails() -> None:
    (check,) = class_checks(scores("cat", "dog"), ["cat", "dog", "emu"])
    assert (check.gate, check.verdict) == ("classes", Verdict.FAIL)
    assert check.found == "labels that it does not know: emu: train it on rows of them"


def test_a_class_that_no_row_of_the_hold_out_has_is_inconclusive() -> None:
    (check,) = class_checks(scores("cat", "dog", "emu"), ["cat", "dog"])
    assert (check.gate, check.verdict) == ("classes", Verdict.INCONCLUSIVE)
    assert check.found.startswith("no row of emu: hold out some")


def test_of_many_classes_the_first_ten_are_named() -> None:
    (check,) = class_checks(scores("cat", *(f"c{n:02}" for n in range(14))), ["cat"])
    assert "no row of c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 4 more: " in check.found


def test_labels_0_and_1_are_those_of_a_binary_model() -> None:
    (check,) = class_checks(scores("0", "1"), [0, 1, 1])
    assert (check.verdict, check.found) == (Verdict.PASS, "rows of all 2")


def test_a_model_of_numbers_has_no_classes_to_check() -> None:
    assert class_checks(scores(), [1.5, 2.5]) == []

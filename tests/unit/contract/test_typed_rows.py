"""Rows as gates and service give them to scikit-learn: with the types and the gaps that training gave them."""

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from services.contract.model_config import ModelConfig
from services.contract.release import Column
from services.contract.typed_rows import frame, matrix
from services.delivery.scoring.holdout import read_holdout
from training.dataset import read_csv, split

KINDS = {"zip": "string", "x": "double", "n": "long", "ok": "boolean", "day": "date", "at": "datetime"}
LINES = [f"0{n},{n / 4},{n},{n % 2 == 0},2013-12-{1 + n % 28:02},2013-12-27T0{n % 9}:00:00.5+01:00" for n in range(40)]


def config(optional: tuple[str, ...]) -> ModelConfig:
    gates = {"thresholds": {"r2_score": {"min": 0}}, "latency_p99_ms": 1, "compare": {"metric": "mean_absolute_error"}}
    data = {"source": "", "target": "y", "columns": KINDS, "optional": optional, "holdout_sha256": None}
    return ModelConfig.model_validate(
        {"name": "toy", "description": "", "library": "sklearn", "task": "regression", "data": data,
         "variants": {"only": {}}, "gates": gates}
    )  # fmt: skip


@pytest.mark.parametrize("optional", [(), tuple(KINDS)], ids=["required", "optional"])
def test_gates_ask_the_hold_out_with_the_very_values_that_training_has(
    optional: tuple[str, ...], tmp_path: Path
) -> None:
    toy = config(optional)
    gaps = [",,,,,"] * 9 if optional else []
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([f"{','.join(KINDS)},y", *(f"{line},{n}" for n, line in enumerate([*LINES, *gaps]))]))
    holdout = split(read_csv(file, toy.data, toy.task), toy.data, toy.task, "").holdout
    file.write_bytes(holdout.csv)
    rows = read_holdout(file, toy).rows
    asked = frame(rows, toy.inputs)
    expected = holdout.inputs.reset_index(drop=True)
    pandas.testing.assert_frame_equal(asked, expected)
    assert pandas.DataFrame(matrix(rows, toy.inputs)).equals(pandas.DataFrame(expected.to_numpy()))
    assert not optional or expected.isna().any().all()


@pytest.mark.parametrize(
    "rows", [[], [("01000", 7)], [("01000", numpy.nan), (numpy.nan, 7)]], ids=["none", "one", "gaps"]
)
def test_a_matrix_holds_what_an_array_of_the_frame_does(rows: list[Any]) -> None:
    inputs = (Column(name="zip", type="string", required=False), Column(name="n", type="long", required=False))
    table = frame(rows, inputs)
    assert table.dtypes.map(str).to_dict() == {"zip": "object", "n": "float64"}
    assert not rows or pandas.DataFrame(matrix(rows, inputs)).equals(pandas.DataFrame(table.to_numpy()))


def test_a_cell_that_its_column_cannot_hold_is_an_error() -> None:
    with pytest.raises(ValueError, match="x"):
        frame([("x",)], (Column(name="n", type="long"),))

"""The hold-out as plain values, and the rows at its edge."""

import math
from pathlib import Path
from typing import Any

import pytest

from services.contract.cells import is_missing
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.release import Column
from services.delivery.scoring.holdout import edge_rows, read_holdout


def config(task: str = "binary-classification", metric: str = "log_loss") -> ModelConfig:
    data: dict[str, Any] = {
        "source": "made up",
        "target": "late",
        "columns": {"carrier": "string", "hour": "long", "wind": "double"},
        "optional": ["wind"],
        "holdout_sha256": None,
    }
    gates = {"thresholds": {metric: {"max": 1}}, "latency_p99_ms": 10, "compare": {"metric": metric}}
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "",
            "library": "spark",
            "task": task,
            "data": data,
            "variants": {"only": {}},
            "gates": gates,
        }
    )


def write(folder: Path, *lines: str) -> Path:
    path = folder / "holdout.csv"
    path.write_text("\n".join(("carrier,hour,wind,late", *lines)) + "\n", encoding="utf-8")
    return path


def test_values_have_the_declared_types_and_an_empty_field_is_missing(tmp_path: Path) -> None:
    holdout = read_holdout(write(tmp_path, "UA,6,10.5,1", '"A, B",7,,0'), config())
    assert holdout.rows[0] == ["UA", 6, 10.5]
    assert holdout.rows[1][:2] == ["A, B", 7]
    assert math.isnan(holdout.rows[1][2])
    assert holdout.actual == [1, 0]


def test_a_target_of_names_stays_text(tmp_path: Path) -> None:
    holdout = read_holdout(write(tmp_path, "UA,6,10.5,1"), config("classification", "accuracy_score"))
    assert holdout.actual == ["1"]


def test_a_text_longer_than_the_csv_module_takes_is_read(tmp_path: Path) -> None:
    assert len(read_holdout(write(tmp_path, f"{'U' * 200_000},6,10.5,1"), config()).rows[0][0]) == 200_000


def test_another_header_or_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="expected values of the declared types, found: .*'six'"):
        read_holdout(write(tmp_path, "UA,six,10.5,1"), config())
    path = write(tmp_path, "UA,6,10.5,1")
    path.write_text(path.read_text().replace("wind", "rain"))
    with pytest.raises(Refused, match=r"expected columns carrier, hour, wind, late; found"):
        read_holdout(path, config())


def test_the_edges_change_one_value_of_a_holdout_row_each() -> None:
    inputs = (Column(name="a", type="string"), Column(name="b", type="double", required=False))
    rows = edge_rows([["word", 1.5]], inputs)
    assert ["never seen before, ☃", 1.5] in rows
    assert ["", 1.5] in rows
    assert [row[1] for row in rows if row[0] == "word"][:3] == [0.0, -1e9, 1e9]
    assert sum(math.isnan(row[1]) for row in rows) == 2


def test_the_longest_text_and_a_text_of_another_script_are_among_the_edges() -> None:
    inputs = (Column(name="text", type="string"),)
    rows = [["short"], ["the longest of these texts"], ["Größe 1, Zoë!"], ["こんにちは"]]
    edges = edge_rows(rows, inputs)
    assert ["the longest of these texts"] in edges
    assert ["こんにちは"] in edges
    assert ["Größe 1, Zoë!"] not in edges


def test_nothing_is_missing_where_the_signature_does_not_allow_it() -> None:
    rows = edge_rows([[1.5]], (Column(name="b", type="double"),))
    assert rows == [[0.0], [-1e9], [1e9]]


OPTIONAL = tuple(
    Column(name=kind, type=kind, required=False) for kind in ("string", "double", "long", "boolean", "date", "datetime")
)


def test_each_type_is_read_as_it_was_stored_and_an_empty_field_is_missing(tmp_path: Path) -> None:
    kinds = {column.name: column.type for column in OPTIONAL}
    plain = config()
    data = plain.data.model_copy(update={"columns": kinds, "optional": tuple(kinds)})
    path = tmp_path / "holdout.csv"
    path.write_text(
        ",".join([*kinds, "late"]) + "\n01000,1.5,7,True,2013-12-27,2013-12-27T19:00:00Z,1\n,,,,,,0\n", encoding="utf-8"
    )
    holdout = read_holdout(path, plain.model_copy(update={"data": data}))
    assert holdout.rows[0] == ["01000", 1.5, 7, True, "2013-12-27", "2013-12-27T19:00:00Z"]
    assert [isinstance(cell, float) and math.isnan(cell) for cell in holdout.rows[1]] == [True] * len(kinds)


def test_a_missing_value_of_each_optional_column_is_among_the_edges() -> None:
    told = ["word", 1.5, 7, True, "2013-12-27", "2013-12-27T19:00:00Z"]
    edges = edge_rows([[math.nan] * len(OPTIONAL), told], OPTIONAL)
    missing = [[is_missing(cell) for cell in row] for row in edges]
    for place in range(len(OPTIONAL)):
        assert any(row[place] for row in missing) and not all(row[place] for row in missing)
    assert "1700-01-01" in [row[4] for row in edges] and "" not in [row[0] for row in edges]
    assert told in edges, "the longest text that there is"

"""What runs in an executor's Python: rows of every format are answered, or set aside in the online service's words."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from services.batch import worker
from services.prediction.predictor import load_predictor
from tests.support.release_factory import ROWS, build_release

COLUMNS = ("carat", "cut", "grade")


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    return store / "releases" / build_release(store).digest


def task(release: Path, cells: str, columns: tuple[str, ...] = COLUMNS, keep: tuple[str, ...] = ("cut",)) -> Any:
    return worker.Task(release.name, keep, cells, columns, str(release))


def rows(found: Any) -> list[dict[str, Any]]:
    return [row for batch in found for row in batch.to_pylist()]


def answers(release: Path, *asked: tuple[Any, ...]) -> list[Any]:
    return load_predictor(release, release.name).ask(asked)


def test_rows_of_parquet_have_the_answers_of_the_online_service_and_say_whose_they_are(release: Path) -> None:
    batch = pyarrow.RecordBatch.from_pydict(dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True)))
    found = rows(worker.scored(task(release, "typed"), iter([batch])))
    assert [row["prediction"] for row in found] == answers(release, *ROWS)
    assert [row["cut"] for row in found] == [row[1] for row in ROWS]
    assert {(row["model"], row["revision"], row["release"]) for row in found} == {
        ("diamond-price", "1-aaaaaaaa", release.name)
    }
    assert rows(worker.rejected(task(release, "typed"), iter([batch]))) == []


def test_lines_of_csv_with_more_or_fewer_cells_are_set_aside_as_they_are(release: Path) -> None:
    batch = pyarrow.RecordBatch.from_pydict(
        {
            "carat": ["0.5", "0.7", "x", "0.9"],
            "cut": ["Fair", "Good", "Fair", "Ideal"],
            "grade": ["1", None, "2", "3"],
            worker.SPOILT: [None, "0.7,Good", None, "0.9,Ideal,3,4"],
        }
    )
    asked = task(release, "csv")
    assert [row["prediction"] for row in rows(worker.scored(asked, iter([batch])))] == answers(
        release, (0.5, "Fair", 1)
    )
    assert rows(worker.rejected(asked, iter([batch]))) == [
        {"carat": "x", "cut": "Fair", "grade": "2", "reason": "column 'carat': expected a number, found a string"},
        {"carat": "0.7", "cut": "Good", "grade": None, "reason": "expected a list of 3 values, found a list of 2"},
        {"carat": "0.9", "cut": "Ideal", "grade": "3", "reason": "expected a list of 3 values, found a list of 4"},
    ]


def test_objects_of_json_are_read_as_a_request_is(release: Path) -> None:
    lines = ['{"carat": 0.5, "cut": "Fair", "grade": 1}', '{"carat": "0.5", "cut": "Fair", "grade": 1}', "[]"]
    batch = pyarrow.RecordBatch.from_pydict({worker.LINE: lines})
    asked = task(release, "json")
    assert [row["prediction"] for row in rows(worker.scored(asked, iter([batch])))] == answers(
        release, (0.5, "Fair", 1)
    )
    assert [row["reason"] for row in rows(worker.rejected(asked, iter([batch])))] == [
        "column 'carat': expected a number, found a string",
        "expected a JSON object, found a list of 0",
    ]


def test_a_look_at_the_first_rows_tells_what_comes_out(release: Path) -> None:
    batch = pyarrow.RecordBatch.from_pydict(dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True)))
    (told,) = rows(worker.preflight(task(release, "typed"), iter([batch, batch])))
    scored, rejected = (pyarrow.ipc.read_schema(pyarrow.py_buffer(told[name])) for name in ("scored", "rejected"))
    assert scored.names == ["cut", "prediction", "model", "revision", "release"]
    assert rejected.names == [*COLUMNS, "reason"]
    assert told["problem"] == ""
    assert {"python", "pyarrow"} <= json.loads(told["versions"]).keys()


def test_wrong_columns_are_told_before_any_row_is_scored(release: Path) -> None:
    batch = pyarrow.RecordBatch.from_pydict({"carat": ["0.5"], "colour": ["D"], "grade": [1]})
    (told,) = rows(worker.preflight(task(release, "typed"), iter([batch])))
    assert told["problem"].startswith("expected columns that diamond-price 1-aaaaaaaa takes, found: ")
    assert "'cut'" in told["problem"]
    assert "'carat'" in told["problem"]


def test_a_release_with_a_changed_byte_answers_nothing(tmp_path: Path) -> None:
    built = build_release(tmp_path)
    folder = tmp_path / "releases" / built.digest
    (folder / "model" / "MLmodel").write_text("flavors: {}\n")
    batch = pyarrow.RecordBatch.from_pydict({"carat": [0.5], "cut": ["Fair"], "grade": [1]})
    (told,) = rows(worker.preflight(task(folder, "typed"), iter([batch])))
    assert told["problem"].endswith("its files were changed")

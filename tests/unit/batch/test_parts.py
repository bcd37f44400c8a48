"""Parts are decided from the list of the input's files alone, and the key from all that decides what comes out."""

from typing import Any

import pytest

from services.batch.parts import Plan, plan
from services.contract.batch_job import BatchJob
from services.contract.receipt import InputFile


def job(**changes: Any) -> BatchJob:
    fields = {"release": "a" * 64, "folder": "f", "python": "p", "input": "i", "output": "o", "part_bytes": 100}
    return BatchJob.model_validate({**fields, "compared_with": "nothing", **changes})


def files(*sizes: int, sha256: str = "b") -> list[InputFile]:
    return [
        InputFile(path=f"file:/in/{number}", bytes=size, sha256=sha256 * 64, rows=size // 10)
        for number, size in enumerate(sizes)
    ]


def shape(found: Plan) -> list[int]:
    return [len(part.files) for part in found.parts]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((10, 20, 70), [3]), ((10, 20, 71), [2, 1]), ((500,), [1]), ((500, 10, 10, 500), [1, 2, 1]), ((60, 60), [1, 1])],
)
def test_files_are_packed_in_their_order_and_a_large_one_stands_alone(
    sizes: tuple[int, ...], expected: list[int]
) -> None:
    found = plan(job(), "csv", files(*sizes))
    assert shape(found) == expected
    assert [path for part in found.parts for path in part.files] == [file.path for file in files(*sizes)]
    assert sum(part.rows for part in found.parts) == sum(size // 10 for size in sizes)


def test_a_large_file_of_parquet_is_cut_by_its_rows_and_stands_alone() -> None:
    found = plan(job(), "parquet", files(10, 250, 10)).parts
    assert [(part.number, part.files, part.first, part.rows) for part in found] == [
        (0, ("file:/in/0",), None, 1),
        (1, ("file:/in/1",), 0, 8),
        (2, ("file:/in/1",), 8, 8),
        (3, ("file:/in/1",), 16, 9),
        (4, ("file:/in/2",), None, 1),
    ]


@pytest.mark.parametrize(("size", "parts"), [(3_000_000, 3), (10**9, 16), (30, 3)], ids=["rows", "most", "few rows"])
def test_the_parts_of_a_file_are_neither_of_too_many_rows_nor_too_many(size: int, parts: int) -> None:
    found = plan(job(part_bytes=1 if size == 30 else 1 << 30), "parquet", files(size)).parts
    assert len(found) == parts
    assert sum(part.rows for part in found) == size // 10


def test_files_without_a_row_are_no_part() -> None:
    assert shape(plan(job(part_bytes=1), "csv", files(5, 500, 5))) == [1]


@pytest.mark.parametrize(
    "changed",
    [
        plan(job(release="c" * 64), "parquet", files(10, 20)),
        plan(job(keep=("carat",)), "parquet", files(10, 20)),
        plan(job(part_bytes=25), "parquet", files(10, 20)),
        plan(job(), "csv", files(10, 20)),
        plan(job(), "parquet", files(10, 20, sha256="d")),
        plan(job(), "parquet", files(10, 20, 30)),
    ],
    ids=["release", "keep", "parts", "format", "content", "files"],
)
def test_another_release_input_or_shape_of_the_output_has_another_key(changed: Plan) -> None:
    assert changed.key != plan(job(), "parquet", files(10, 20)).key


def test_where_a_batch_runs_and_writes_is_no_part_of_its_key() -> None:
    moved = job(output="elsewhere", master="spark://there:7077", python="other")
    assert plan(moved, "parquet", files(10)).key == plan(job(), "parquet", files(10)).key

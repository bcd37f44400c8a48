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
    found = plan(job(), "parquet", files(*sizes))
    assert shape(found) == expected
    assert [path for part in found.parts for path in part.files] == [file.path for file in files(*sizes)]
    assert sum(part.rows for part in found.parts) == sum(size // 10 for size in sizes)


def test_files_without_a_row_are_no_part() -> None:
    assert shape(plan(job(part_bytes=1), "parquet", files(5, 500, 5))) == [1]


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

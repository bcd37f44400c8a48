"""Bodies of Arrow and Parquet are read as the same rows in JSON, and refused in the same words while they are small."""

import io
import math
import random
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pyarrow
import pyarrow.ipc
import pytest
from pyarrow import parquet

from services.contract.release import Column
from services.prediction.content_type import ARROW, PARQUET, MediaType, wants_arrow
from services.prediction.invalid import Invalid
from services.prediction.invocations import Invocation, read_invocation

INPUTS = (
    Column(name="carat", type="double"),
    Column(name="cut", type="string"),
    Column(name="grade", type="long", required=False),
    Column(name="day", type="date", required=False),
)
ROWS = [[0.5, "Ideal", 1, "2020-01-31"], [2.0, "Fair", None, None]]
TABLE = pyarrow.table({
    "more": [[1], [2]], "day": [date(2020, 1, 31), None], "grade": [1, None], "cut": ["Ideal", "Fair"],
    "carat": pyarrow.array([0.5, 2.0], "float32"),
})  # fmt: skip
Write = Callable[[pyarrow.Table], bytes]


def arrow(table: pyarrow.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    with pyarrow.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    return sink.getvalue()


def in_parquet(table: pyarrow.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


WAYS: dict[str, tuple[MediaType, Write]] = {
    "arrow": (ARROW, arrow),
    "arrow in zstd": (ARROW, lambda table: arrow(table, "zstd")),
    "arrow in lz4": (ARROW, lambda table: arrow(table, "lz4")),
    "arrow in dictionaries": (ARROW, lambda table: arrow(in_dictionaries(table))),
    "parquet": (PARQUET, in_parquet),
    "parquet of pages of version 2": (PARQUET, lambda table: in_parquet(table, data_page_version="2.0")),
    "parquet in zstd": (PARQUET, lambda table: in_parquet(table, compression="zstd", use_dictionary=False)),
    "parquet in groups": (PARQUET, lambda table: in_parquet(table, row_group_size=1)),
}
each = pytest.mark.parametrize("way", WAYS)


def in_dictionaries(table: pyarrow.Table) -> pyarrow.Table:
    place = table.schema.get_field_index("cut")
    return table if place < 0 else table.set_column(place, "cut", table["cut"].dictionary_encode())


def read(way: str, table: pyarrow.Table, max_rows: int = 10) -> Invocation:
    media, write = WAYS[way]
    return read_invocation(write(table), INPUTS, max_rows, media)


def refusal_of(body: bytes, media: MediaType, max_rows: int = 1000) -> Invalid:
    with pytest.raises(Invalid) as refusal:
        read_invocation(body, INPUTS, max_rows, media)
    return refusal.value


@each
def test_rows_are_those_of_the_same_table_in_json(way: str) -> None:
    records = str([dict(zip(["carat", "cut", "grade", "day"], row, strict=True)) for row in ROWS])
    body = f'{{"dataframe_records": {records.replace("None", "null").replace(chr(39), chr(34))}}}'
    assert str(read(way, TABLE).rows) == str(read_invocation(body.encode(), INPUTS, 10).rows)


def other(name: str, values: list[Any]) -> pyarrow.Table:
    return TABLE.set_column(TABLE.schema.get_field_index(name), name, pyarrow.array(values))


@each
def test_nan_is_a_missing_value_where_a_column_is_optional(way: str) -> None:
    """As pandas writes a column of whole numbers of which some are missing."""
    assert str([row[2] for row in read(way, other("grade", [1.0, math.nan])).rows]) == "[1, nan]"


WRONG = {
    "a column missing": (TABLE.drop_columns("cut"), 422, "column 'cut' is missing"),
    "numbers for texts": (other("cut", [1, 2]), 422, "column 'cut': expected texts, found"),
    "null for a text": (other("cut", ["Fair", None]), 422, "row 1, column 'cut': expected a string, found null"),
    "NaN": (other("carat", [math.nan, 1.0]), 422, "row 0, column 'carat': expected a finite number, found NaN"),
    "no row": (TABLE.slice(0, 0), 422, "expected at least one row, found none"),
    "too many rows": (pyarrow.concat_tables([TABLE] * 6), 413, "expected at most 10 rows, found 12"),
}


@each
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused_in_words(way: str, wrong: str) -> None:
    table, status, words = WRONG[wrong]
    media, write = WAYS[way]
    refusal = refusal_of(write(table), media, 10)
    assert (refusal.status, words in str(refusal)) == (status, True), refusal


MANY = 9_000_000
ONE_TEXT = pyarrow.table({"carat": [0.0] * 100, "cut": ["x" * 700_000] * 100})


def zeros() -> pyarrow.Table:
    return pyarrow.table({"carat": pyarrow.repeat(0.0, MANY), "cut": pyarrow.repeat("", MANY)})


BOMBS: dict[str, tuple[MediaType, Callable[[], bytes]]] = {
    "compressed zeros": (ARROW, lambda: arrow(zeros(), "zstd")),
    "one text for many rows": (ARROW, lambda: arrow(in_dictionaries(ONE_TEXT))),
    "one text for many rows of Parquet": (PARQUET, lambda: in_parquet(ONE_TEXT)),
    "pages of zeros": (PARQUET, lambda: in_parquet(zeros(), use_dictionary=False, compression="zstd")),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_body_that_would_become_a_large_one_is_refused(bomb: str) -> None:
    media, write = BOMBS[bomb]
    body = write()
    assert len(body) < 2_000_000
    refusal = refusal_of(body, media, MANY)
    assert (refusal.status, "bytes when decompressed, found" in str(refusal)) == (413, True), refusal


def test_texts_that_repeat_their_beginnings_are_refused() -> None:
    encodings = {"cut": "DELTA_BYTE_ARRAY", "carat": "PLAIN"}
    body = in_parquet(ONE_TEXT, use_dictionary=False, column_encoding=encodings)
    assert refusal_of(body, PARQUET).status == 415


def damaged(body: bytes, seed: int) -> Iterator[bytes]:
    """Bodies of which some bytes are others, were lost or came in."""
    chance = random.Random(seed)
    for _ in range(150):
        found = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(found))
            found[place : place + chance.randint(0, 2)] = chance.choice([b"", b"\xff", b"\x00", b"\x7f\x80"])
        yield bytes(found)


@each
def test_a_damaged_body_is_refused_or_read_and_never_fails(way: str) -> None:
    media, write = WAYS[way]
    statuses = set()
    for body in [b"", b"PAR1", *damaged(write(TABLE), seed=7)]:
        try:
            read_invocation(body, INPUTS, 1000, media)
        except Invalid as refusal:
            statuses.add(refusal.status)
    assert {400} <= statuses <= {400, 413, 415, 422}


@pytest.mark.parametrize(
    ("accept", "arrow"),
    [
        ("", False), ("*/*", False), ("application/json", False), (ARROW, True), (f"{ARROW}, application/json", True),
        (f"application/json, {ARROW};q=0.5", False), (f"{ARROW};q=0", False), (f"{ARROW};q=x", False),
    ],
)  # fmt: skip
def test_arrow_is_answered_to_whoever_prefers_it(accept: str, arrow: bool) -> None:
    assert wants_arrow(accept) is arrow

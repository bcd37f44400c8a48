"""A receipt in which a row is lost is none."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.contract.distribution import Distribution
from services.contract.errors import Refused
from services.contract.receipt import MOST_REASONS, OTHER_REASONS, InputFile, Receipt, count_reason

FACTS: dict[str, Any] = {
    "model": "diamond-price",
    "revision": "1-aaaaaaaa",
    "release": "1" * 64,
    "run_id": "a" * 32,
    "engine": "spark",
    "inputs": (InputFile(path="a.parquet", bytes=1, sha256="2" * 64, rows=3),),
    "rows_in": 3,
    "rows_scored": 2,
    "rows_rejected": 1,
    "rejected": {"no number": 1},
    "outputs": (),
    "distribution": Distribution(rows=2),
    "shift": None,
    "compared_with": "nothing",
    "seconds": 0.5,
    "rows_per_second": 6.0,
    "versions": {},
    "at": datetime(2026, 1, 2, tzinfo=UTC),
}


def test_a_receipt_is_read_as_it_was_written() -> None:
    receipt = Receipt(**FACTS)
    assert Receipt.from_json(receipt.to_json()) == receipt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows_scored": 1}, "expected every row to be scored or rejected, found 1 scored and 1 rejected of 3"),
        ({"rejected": {}}, "expected a reason for each of 1 rejected rows, found 0"),
        ({"rows_in": 4, "rows_scored": 3}, "expected the files' rows to be 4, found 3"),
        ({"inputs": ()}, "inputs: "),
    ],
)
def test_a_receipt_in_which_a_row_is_lost_is_refused(change: dict[str, Any], message: str) -> None:
    written = Receipt.model_construct(**{**FACTS, **change}).to_json()
    with pytest.raises(Refused, match=message):
        Receipt.from_json(written)


def test_reasons_stay_few_however_many_a_library_has() -> None:
    counts: dict[str, int] = {}
    for place in range(3 * MOST_REASONS):
        count_reason(counts, f"unknown category {place}")
    count_reason(counts, "unknown category 0", 5)
    assert (len(counts), counts["unknown category 0"]) == (MOST_REASONS + 1, 6)
    assert counts[OTHER_REASONS] == 2 * MOST_REASONS

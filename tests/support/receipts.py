"""Receipts as a batch would write them."""

from typing import Any

from services.contract.distribution import distribution_of
from services.contract.receipt import InputFile, OutputFile, Receipt
from services.contract.release import Release
from services.contract.task import Task
from tests.support.release_factory import WHEN

ROWS = 10


def receipt_of(of: Release, rejected: dict[str, int] | None = None, **changes: Any) -> Receipt:
    """Of ten rows in one file of Parquet."""
    identity = {
        "model": of.manifest.model,
        "revision": of.manifest.revision,
        "release": of.digest,
        "run_id": of.manifest.candidate.run.run_id,
    }
    return any_receipt(of.manifest.task, rejected, **(identity | changes))


def any_receipt(task: Task = "regression", rejected: dict[str, int] | None = None, **changes: Any) -> Receipt:
    """Of no release that there is."""
    refused = sum((rejected or {}).values())
    found = {
        "model": "diamond-price",
        "revision": "1-aaaaaaaa",
        "release": "a" * 64,
        "run_id": "b" * 32,
        "engine": "container",
        "image": f"sha256:{'d' * 64}",
        "inputs": (InputFile(path="rows.parquet", bytes=2048, sha256="e" * 64, rows=ROWS),),
        "rows_in": ROWS,
        "rows_scored": ROWS - refused,
        "rows_rejected": refused,
        "rejected": rejected or {},
        "outputs": (OutputFile(path="scored/part-00000.parquet", bytes=900, sha256="f" * 64, rows=ROWS - refused),),
        "distribution": distribution_of(task, [100.0 * row for row in range(ROWS - refused)]),
        "shift": 0.031,
        "compared_with": "the hold-out's answers",
        "seconds": 2.5,
        "rows_per_second": 4.0,
        "versions": {"python": "3.11.2", "pyarrow": "25.0.1"},
        "at": WHEN,
    }
    return Receipt.model_validate(found | changes)

"""The batch half of the demo: the release that answers as a machine image that boots by itself, and on Spark."""

import time
from collections.abc import Callable
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from services.contract.image_tools import missing_packages, places
from services.contract.receipt import Receipt
from services.contract.trace import Trace

Trackback = Callable[..., str]


def refuse_without_tools(path: str) -> None:
    """Raises Refused, before anything starts, where no machine image can be built; `path` is a PATH."""
    if missing := missing_packages(places(path)):
        raise Refused(
            f"expected the Debian packages of machine images, found no {', '.join(missing)}: scripts/setup image"
        )


def score_by_spark(trackback: Trackback, store: Path, model: str, folder: Path) -> tuple[Receipt, float]:
    """Scores the model's hold-out, which is a file of the store, into a new folder; the receipt, and its seconds."""
    trace = Trace.from_json(trackback("trace", model))
    holdout = store / "holdouts" / f"{trace.candidate.run.holdout.sha256}.csv"
    began = time.monotonic()
    said = trackback("score", model, "--input", str(holdout), "--output", str(folder / trace.release[:12]))
    return Receipt.from_json(said), time.monotonic() - began


def summary(receipt: Receipt) -> str:
    """In a line: how many rows, and how far their answers are from those that the release is known by."""
    moved = "" if receipt.shift is None else f", stability index {receipt.shift:.3f} against {receipt.compared_with}"
    rows = f"{receipt.rows_scored:,} of {receipt.rows_in:,} rows scored, {receipt.rows_rejected:,} rejected{moved}"
    return f"{rows}: {names.RECEIPT_FILE} of release {receipt.release[:12]}…"

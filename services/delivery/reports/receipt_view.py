"""receipt.html: which release scored which files, and what came of every row."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from services.contract.receipt import InputFile, OutputFile, Receipt
from services.delivery.reports import words
from services.delivery.reports.drawing import Plot, drawn
from services.delivery.reports.figures import batch
from services.delivery.reports.view import Tile
from services.delivery.statistics.shift import moved

MOST_FILES = 50
_ENGINES = {"spark": "Spark", "container": "the release's own container"}


@dataclass(frozen=True)
class ReceiptView:
    title: str
    headline: str
    tiles: tuple[Tile, ...]
    plots: tuple[Plot, ...]
    rejected: tuple[tuple[str, int], ...]
    inputs: tuple[InputFile, ...]
    outputs: tuple[OutputFile, ...]
    facts: tuple[tuple[str, str], ...]


def receipt_view(receipt: Receipt) -> ReceiptView:
    return ReceiptView(
        title=f"Batch of {receipt.model}, revision {receipt.revision}",
        headline=_headline(receipt),
        tiles=tuple(_tiles(receipt)),
        plots=drawn([partial(batch.answers, receipt.distribution, receipt.compared_with)]),
        rejected=tuple(sorted(receipt.rejected.items(), key=lambda one: (-one[1], one[0]))),
        inputs=receipt.inputs[:MOST_FILES],
        outputs=receipt.outputs[:MOST_FILES],
        facts=tuple(_facts(receipt)),
    )


def _headline(receipt: Receipt) -> str:
    rows = words.count(receipt.rows_in, "row")
    by = f"by {_ENGINES[receipt.engine]}"
    if not receipt.rows_rejected:
        return f"All of {rows} were scored {by}."
    return f"{receipt.rows_scored:,} of {rows} were scored {by}, {receipt.rows_rejected:,} were rejected."


def _tiles(receipt: Receipt) -> Iterator[Tile]:
    yield Tile("rows in", f"{receipt.rows_in:,}", (words.count(len(receipt.inputs), "file"),))
    yield Tile("scored", f"{receipt.rows_scored:,}", (words.share(receipt.rows_scored, receipt.rows_in),))
    kinds = words.count(len(receipt.rejected), "reason")
    yield Tile("rejected", f"{receipt.rows_rejected:,}", (kinds,) if receipt.rejected else ())
    seconds = f"{words.number(receipt.seconds)} s"
    yield Tile("rows a second", words.number(receipt.rows_per_second), (seconds,))
    if receipt.distribution.mean is not None:
        median = receipt.distribution.quantiles.get("0.5")
        of_half = () if median is None else (f"median {words.number(median)}",)
        yield Tile("mean answer", words.number(receipt.distribution.mean), of_half)
    if receipt.shift is not None:
        lines = (f"the answers {moved(receipt.shift)}", f"against {receipt.compared_with}")
        yield Tile("stability index", words.number(receipt.shift), lines)


def _facts(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "release", receipt.release
    yield "run", receipt.run_id
    if receipt.image:
        yield "container image", receipt.image
    yield "at", f"{receipt.at:%Y-%m-%d %H:%M:%S} UTC"
    yield "versions", ", ".join(f"{name} {version}" for name, version in sorted(receipt.versions.items()))
    for what, files in (("input", receipt.inputs), ("output", receipt.outputs)):
        if len(files) > MOST_FILES:
            yield what, f"{len(files):,} files, of which the first {MOST_FILES} are shown; receipt.json has all"

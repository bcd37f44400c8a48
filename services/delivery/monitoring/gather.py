"""One pass over a prediction log: traffic is counted, rows are sampled, and rows whose label has come are kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.contract.monitoring import Traffic
from services.contract.prediction import Labelled, Prediction
from services.contract.prediction_log import LoggedPrediction
from services.contract.record import Sha256
from services.delivery.monitoring.labels import Labels, NoLabels
from services.delivery.monitoring.reservoir import Reservoir
from services.delivery.monitoring.traffic import TrafficCounter
from services.delivery.monitoring.window import Window
from services.delivery.output import say

# A tenth of what matters by default is found in so many rows, and they fit into memory with any number of columns.
MOST_ROWS = 100_000
_MOST_CELLS = 2_000_000
_OFTEN = 100_000

Row = Sequence[Any]


@dataclass(frozen=True)
class Wanted:
    """Which requests count: those that this release answered in the window; `columns` in the order of its inputs."""

    release: Sha256
    window: Window
    columns: tuple[str, ...]
    labels: Labels | NoLabels = field(default_factory=NoLabels)


@dataclass(frozen=True)
class Gathered:
    """`rows` and `answers` are a sample, in one order; `rows` is None where the log keeps digests only. `labelled` are
    answers with the label that has come. `others` counts requests of the window that another release answered, `read`
    all that were read."""

    traffic: Traffic
    rows: list[Row] | None
    answers: list[Prediction]
    labelled: list[tuple[Prediction, Any]]
    unmatched: int
    others: int
    read: int


def gathered(records: Iterable[LoggedPrediction], wanted: Wanted) -> Gathered:
    traffic, others, read = TrafficCounter(), 0, 0
    sample = Reservoir[tuple[Row | None, Any]](min(MOST_ROWS, _MOST_CELLS // max(1, len(wanted.columns))))
    labelled = Reservoir[tuple[Any, Any]](MOST_ROWS)
    for record in _told(records):
        read += 1
        if not wanted.window.has(record.at):
            continue
        if record.release != wanted.release:
            others += 1
            continue
        traffic.count(record.at, record.status, record.rows, record.seconds)
        for place, (row, answer) in enumerate(_answered(record, wanted.columns)):
            sample.offer((row, answer))
            for label in wanted.labels.of(record.request_id, place, row):
                labelled.offer((answer, label))
    rows, answers = _split(sample.kept)
    known = _predictions(labelled.kept)
    return Gathered(traffic.found(), rows, answers, known, wanted.labels.unmatched, others, read)


def _told(records: Iterable[LoggedPrediction]) -> Iterator[LoggedPrediction]:
    for count, record in enumerate(records, start=1):
        yield record
        if count % _OFTEN == 0:
            say(f"read {count:,} logged requests")


def _answered(record: LoggedPrediction, columns: tuple[str, ...]) -> Iterator[tuple[Row | None, Any]]:
    answers = record.predictions or []
    if record.inputs is None:
        return zip([None] * len(answers), answers, strict=True)
    if record.columns == columns:
        return zip(record.inputs, answers, strict=False)
    places = [record.columns.index(name) if name in record.columns else None for name in columns]
    rows = ([None if place is None else row[place] for place in places] for row in record.inputs)
    return zip(rows, answers, strict=False)


def _split(sample: Sequence[tuple[Row | None, Any]]) -> tuple[list[Row] | None, list[Prediction]]:
    """A row without an answer that is one is left out with it."""
    known = [(row, found) for row, answer in sample if (found := prediction_of(answer)) is not None]
    rows = [row for row, _ in known if row is not None]
    return (rows if len(rows) == len(known) else None), [answer for _, answer in known]


def _predictions(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Prediction, Any]]:
    return [(found, label) for answer, label in pairs if (found := prediction_of(answer)) is not None]


def prediction_of(answer: Any) -> Prediction | None:
    """As the log has it: a number, or a label with its probability. None for what a request asked for beside that."""
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return float(answer)
    if isinstance(answer, dict) and "label" in answer and "probability" in answer:
        return Labelled(label=answer["label"], probability=answer["probability"])
    return None

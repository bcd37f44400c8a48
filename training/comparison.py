"""Whether a run that was trained again is the run of before: by digests, or by metrics within an interval."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.contract import names
from services.contract.candidate import DataDigest, Provenance

# Threads of fastText write the same weights without a lock, so each training ends with others.
_VARIES = ("fasttext",)
_CONFIDENCE = 1.96
_ROUNDING = 1e-9
_NOT_METRICS = (
    names.SECONDS_METRIC, names.MEMORY_METRIC, names.LEARNING_CURVE, names.SYSTEM_METRICS, names.HOLDOUT_METRICS,
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """One of the two runs. `predictions` is the digest of its answers to the hold-out, None where none was recorded."""

    run_id: str
    provenance: Provenance
    metrics: Mapping[str, float]
    predictions: str | None


@dataclass(frozen=True)
class Row:
    """One thing that both runs have; `fits` is None when it does not decide."""

    what: str
    before: str
    again: str
    found: str
    fits: bool | None


@dataclass(frozen=True)
class Compared:
    before: str
    again: str
    rows: tuple[Row, ...]

    @property
    def reproduced(self) -> bool:
        return all(row.fits is not False for row in self.rows)

    def table(self) -> str:
        """A line a row, for people, the verdict last."""
        lines = [
            ("", self.before[:12], self.again[:12], ""),
            *((r.what, r.before, r.again, r.found) for r in self.rows),
        ]
        widths = [max(len(line[place]) for line in lines) for place in range(4)]
        text = "".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
            for line in lines
        )
        return f"{text}{'reproduced' if self.reproduced else 'NOT reproduced'}\n"


def compare(library: str, before: Side, again: Side) -> Compared:
    """Data and environment have to be equal, and answers or all metrics.

    Metrics are equal to rounding; of a library whose trainings differ they are within the 95% interval of the
    difference of two shares of the hold-out's rows.
    Source: Agresti, Categorical Data Analysis (2013), section 3.1, Wald interval.
    """
    first, second = before.provenance, again.provenance
    rows = [
        _digests("training data", _sha256(first.training), _sha256(second.training)),
        _digests("hold-out", _sha256(first.holdout), _sha256(second.holdout)),
        _digests("environment", *(one.environment.sha256 if one.environment else None for one in (first, second))),
    ]
    answers = _digests("answers", before.predictions, again.predictions)
    # Answers that differ in the last bit only are told, and judged by the metrics.
    told = Row(answers.what, answers.before, answers.again, answers.found, answers.fits or None)
    varies = library in _VARIES
    return Compared(before.run_id, again.run_id, (*rows, told, *_metrics(before, again, varies)))


def _sha256(data: DataDigest | None) -> str | None:
    return data.sha256 if data else None


def _digests(what: str, before: str | None, again: str | None) -> Row:
    if before is None or again is None:
        return Row(what, "not recorded", (again or "")[:12], "not compared", None)
    equal = before == again
    return Row(what, before[:12], again[:12], "equal" if equal else "differs", equal)


def _metrics(before: Side, again: Side, varies: bool) -> Iterator[Row]:
    for name, value in before.metrics.items():
        if name.startswith(_NOT_METRICS):
            continue
        other = again.metrics.get(name, math.nan)
        width = _interval(value, before.provenance.holdout.rows) if varies else _ROUNDING * max(1.0, abs(value))
        fits = abs(other - value) <= width
        within = f"within ±{width:.2g}" if varies else "equal"
        beyond = f"beyond ±{width:.2g}" if varies else "differs"
        yield Row(name, f"{value:.6g}", f"{other:.6g}", within if fits else beyond, fits)


def _interval(share: float, rows: int) -> float:
    return _CONFIDENCE * math.sqrt(2 * max(share * (1 - share), 0.0) / rows)

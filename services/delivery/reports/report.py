"""The gates' reports as self-contained HTML pages, shown as tabs in GoCD. Their templates stand beside this module."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.comparison import Comparison
from services.contract.validation import Validation

TEMPLATES = Path(__file__).parent
# Of the chart, in units of its view box.
_LEFT, _WIDTH = 60, 880


@dataclass(frozen=True)
class _Chart:
    """The interval on a line, with zero and the least that the gate accepts; places from left to right."""

    low: str
    high: str
    zero: str
    limit: str
    limit_text: str
    interval_text: str


def validation_page(validation: Validation) -> str:
    return _render(
        "validation.html.j2",
        title=f"Validation of {validation.model} {validation.revision}",
        verdict=validation.verdict,
        summary=f"{validation.holdout.rows} hold-out rows, SHA-256 {validation.holdout.sha256}",
        checks=validation.checks,
    )


def comparison_page(comparison: Comparison) -> str:
    return _render(
        "comparison.html.j2",
        title=f"Comparison of {comparison.model} {comparison.revision} with live",
        verdict=comparison.verdict,
        summary=comparison.summary,
        numbers=list(_numbers(comparison)),
        chart=_chart(comparison),
    )


def _render(template: str, **values: Any) -> str:
    # Imported where a page is written, because most verbs write none and need not wait for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values)


def _numbers(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "metric", comparison.metric
    value = "no answer" if comparison.candidate_value is None else f"{comparison.candidate_value:.6g}"
    yield "candidate", f"{comparison.revision}: {value}"
    yield "live", _live(comparison)
    if comparison.interval and comparison.difference is not None:
        low, high = comparison.interval
        interval = f"{comparison.confidence:.0%} interval {low:.6g} to {high:.6g}"
        yield "better by", f"{comparison.difference:.6g} ({interval})"
    yield "hold-out", f"{comparison.holdout.rows} rows, SHA-256 {comparison.holdout.sha256}"


def _live(comparison: Comparison) -> str:
    if comparison.live is None:
        return "nothing was live"
    value = "no answer" if comparison.live_value is None else f"{comparison.live_value:.6g}"
    return f"{comparison.live.revision}: {value}"


def _chart(comparison: Comparison) -> _Chart | None:
    if comparison.interval is None or comparison.allowed is None:
        return None
    low, high = comparison.interval
    limit = -comparison.allowed
    left, right = min(low, limit, 0.0), max(high, limit, 0.0)

    def at(value: float) -> str:
        return f"{_LEFT + _WIDTH * (value - left) / ((right - left) or 1.0):.1f}"

    return _Chart(at(low), at(high), at(0.0), at(limit), f"{limit:.4g}", f"{low:.4g} to {high:.4g}")

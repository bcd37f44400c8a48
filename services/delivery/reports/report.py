"""Reports as self-contained HTML pages, shown as tabs in GoCD. Their templates stand beside this module."""

import base64
import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.contract.comparison import Comparison, Cost
from services.contract.monitoring import Monitoring
from services.contract.receipt import Receipt
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.contract.watched import Watched
from services.delivery.reports import words
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.view import View

if TYPE_CHECKING:
    from services.delivery.reports.monitoring_view import MonitoringView
    from services.delivery.reports.receipt_view import ReceiptView
    from services.delivery.reports.watched_view import WatchedView

TEMPLATES = Path(__file__).parent
_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.INCONCLUSIVE: "?"}


def validation_page(validation: Validation, evidence: Evidence | None = None) -> str:
    """`evidence` is what the model answered; without it, what the record holds is shown."""
    # Imported where a page is written, as jinja2 is: most verbs write none and need not wait for what draws.
    from services.delivery.reports.validation_view import validation_view

    return _render("validation.html.j2", validation_view(validation, evidence))


def comparison_page(comparison: Comparison, evidence: Evidence | None = None) -> str:
    """The same of both models."""
    from services.delivery.reports.comparison_view import comparison_view

    return _render("comparison.html.j2", comparison_view(comparison, evidence))


def receipt_page(receipt: Receipt) -> str:
    from services.delivery.reports.receipt_view import receipt_view

    return _render("receipt.html.j2", receipt_view(receipt))


def watched_page(watched: Watched) -> str:
    from services.delivery.reports.watched_view import watched_view

    return _render("watched.html.j2", watched_view(watched))


def monitoring_page(monitoring: Monitoring) -> str:
    from services.delivery.reports.monitoring_view import monitoring_view

    return _render("monitoring.html.j2", monitoring_view(monitoring))


def _render(template: str, view: "View | ReceiptView | MonitoringView | WatchedView") -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "answer": words.answer,
        "cell": words.cell,
        "change": _change,
        "equals": words.equals,
        "mark": _MARKS.__getitem__,
        "metric": words.metric,
        "moment": _moment,
        "number": words.number,
        "of_unit": words.of_unit,
        "probability": words.probability,
        "signed": words.signed,
    }
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(template).render(view=view, style=style, style_sha256=digest)


def _change(cost: Cost) -> str:
    return words.change(cost.live, cost.candidate)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

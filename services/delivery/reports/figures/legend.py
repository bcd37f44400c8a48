"""Which line is which: only where both models are drawn, as one line needs no name."""

from typing import Literal

from services.delivery.reports.drawing import Canvas
from services.delivery.reports.evidence import Evidence

Place = Literal["upper right", "upper left", "lower right"]


def legend(canvas: Canvas, evidence: Evidence, place: Place = "upper right") -> None:
    if evidence.live is not None:
        canvas.axes.legend(loc=place, frameon=False, handlelength=1.4, borderaxespad=0.2)

"""Learning curves as MLflow metrics: one value per step."""

import math
import time
from collections.abc import Mapping, Sequence

import numpy
from mlflow.entities import Metric

from services.contract import names

_MOST_POINTS = 1000


def curve_metrics(curves: Mapping[str, Sequence[float]]) -> list[Metric]:
    """At most 1,000 points of all curves together, evenly spaced; a point's step is the number of steps done."""
    now = int(time.time() * 1000)
    return [
        Metric(names.LEARNING_CURVE + name, values[place], now, place + 1)
        for name, values in curves.items()
        for place in _spread(len(values), _MOST_POINTS // len(curves))
        if math.isfinite(values[place])
    ]


def _spread(count: int, most: int) -> list[int]:
    """The first, the last and evenly spaced places between them, at most `most`."""
    return sorted({int(place) for place in numpy.linspace(0, count - 1, min(count, most))})

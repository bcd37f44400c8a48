"""Learning curves as MLflow keeps them: a metric whose values have steps."""

import math
import time
from collections.abc import Mapping, Sequence

import numpy
from mlflow.entities import Metric

from services.contract import names

_MOST_POINTS = 1000


def curve_metrics(curves: Mapping[str, Sequence[float]]) -> list[Metric]:
    """Of all curves together at most a thousand points, evenly spread, with the number of steps done as step."""
    now = int(time.time() * 1000)
    return [
        Metric(names.LEARNING_CURVE + name, values[place], now, place + 1)
        for name, values in curves.items()
        for place in _spread(len(values), _MOST_POINTS // len(curves))
        if math.isfinite(values[place])
    ]


def _spread(count: int, most: int) -> list[int]:
    """The first, the last and evenly spaced places between them."""
    return sorted({int(place) for place in numpy.linspace(0, count - 1, min(count, most))})

"""The mean of F1 over labels, of weighted rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy

from services.contract.prediction import Labelled, Prediction


@dataclass(frozen=True)
class MacroF1:
    """Rows by what came and what was answered: `starts` are the places in the `order` at which such a pair begins,
    and `of_actual` and `of_answer` say which label a pair counts for, both of shape (pairs, labels)."""

    order: numpy.ndarray
    starts: numpy.ndarray
    of_actual: numpy.ndarray
    of_answer: numpy.ndarray

    @classmethod
    def of(cls, actual: Sequence[Any], predictions: Sequence[Prediction]) -> Self:
        answers = [str(one.label) if isinstance(one, Labelled) else "" for one in predictions]
        labels, codes = numpy.unique([*map(str, actual), *answers], return_inverse=True)
        pairs = codes[: len(answers)] * len(labels) + codes[len(answers) :]
        order = numpy.argsort(pairs, kind="stable")
        found, starts = numpy.unique(pairs[order], return_index=True)
        each = numpy.arange(len(labels))
        of_actual = (found[:, None] // len(labels) == each).astype(float)
        return cls(order, starts, of_actual, (found[:, None] % len(labels) == each).astype(float))

    def __call__(self, weights: numpy.ndarray) -> numpy.ndarray:
        """Over the labels that came or were answered. Source: sklearn.metrics.f1_score, average="macro"."""
        if not len(self.starts):
            return numpy.full((len(weights), 1), numpy.nan)
        exact = numpy.int32 if weights.dtype == numpy.uint8 else numpy.float64
        ordered = weights.take(self.order, axis=1)
        of_pairs = numpy.add.reduceat(ordered, self.starts, axis=1, dtype=exact).astype(float)
        right = of_pairs @ (self.of_actual * self.of_answer)
        seen = of_pairs @ (self.of_actual + self.of_answer)
        f1 = 2 * right / numpy.where(seen > 0, seen, 1)
        return numpy.asarray(f1.sum(axis=1) / (seen > 0).sum(axis=1))[:, None]

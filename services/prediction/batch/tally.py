"""Counts answers as they stream by: every figure of a distribution, without holding the answers.

Source: Masson, Rim and Lee, DDSketch (VLDB 2019), for quantiles that are off by no more than a share of themselves.
"""

import math
from collections import Counter
from collections.abc import Iterator

import pyarrow
import pyarrow.compute as arrow

from services.contract import names
from services.contract.distribution import QUANTILES, Distribution, is_of_labels
from services.contract.task import Task

_ACCURACY = 0.005
_LOG_OF_GROWTH = math.log((1 + _ACCURACY) / (1 - _ACCURACY))
# What is nearer to 0 counts as 0, so that the buckets stay few.
_LEAST = 1e-12


class Tally:
    """Of the answers of one task, by the edges of the distribution that they are compared with."""

    def __init__(self, task: Task, edges: tuple[float, ...] = ()) -> None:
        self._of_labels, self._edges = is_of_labels(task), edges
        self._rows, self._sum = 0, 0.0
        self._labels: Counter[str] = Counter()
        self._beyond = [0] * len(edges)
        # By sign and logarithm: those below 0, 0, those above.
        self._buckets: Counter[tuple[int, int]] = Counter()
        self._least, self._most = math.inf, -math.inf

    def add(self, answers: pyarrow.RecordBatch) -> None:
        """Of a batch that has the answers' columns, none of them null."""
        self._rows += len(answers)
        if not len(answers):
            return
        if self._of_labels:
            self._labels.update(_counted(answers.column(names.GRAPH_LABEL)))
            return
        of_numbers = names.GRAPH_PREDICTION in answers.schema.names
        self._add_numbers(answers.column(names.GRAPH_PREDICTION if of_numbers else names.GRAPH_PROBABILITY))

    def distribution(self) -> Distribution:
        if self._of_labels or not self._rows:
            return Distribution(rows=self._rows, labels=dict(self._labels))
        counts = [above - beyond for above, beyond in zip([self._rows, *self._beyond], [*self._beyond, 0], strict=True)]
        return Distribution(
            rows=self._rows,
            edges=self._edges,
            counts=tuple(counts) if self._edges else (),
            mean=self._sum / self._rows,
            quantiles={str(share): self._quantile(share) for share in QUANTILES},
        )

    def _add_numbers(self, numbers: pyarrow.Array) -> None:
        self._sum += arrow.sum(numbers).as_py()
        bounds = arrow.min_max(numbers)
        self._least = min(self._least, bounds["min"].as_py())
        self._most = max(self._most, bounds["max"].as_py())
        for place, edge in enumerate(self._edges):
            self._beyond[place] += arrow.greater(numbers, edge).true_count
        size = arrow.abs(numbers)
        logs = arrow.ceil(arrow.divide(arrow.ln(arrow.max_element_wise(size, _LEAST)), _LOG_OF_GROWTH))
        for sign, chosen in (
            (-1, arrow.less(numbers, -_LEAST)),
            (0, arrow.less_equal(size, _LEAST)),
            (1, arrow.greater(numbers, _LEAST)),
        ):
            for key, count in _counted(logs.filter(chosen).cast(pyarrow.int64())).items():
                self._buckets[sign, sign * int(key)] += count

    def _quantile(self, share: float) -> float:
        if share in (0.0, 1.0):
            return self._most if share else self._least
        left = share * (self._rows - 1)
        for (sign, place), count in sorted(self._buckets.items()):
            left -= count
            if left < 0:
                return min(max(_middle(sign, sign * place), self._least), self._most)
        return self._most


def _middle(sign: int, place: int) -> float:
    return sign * 2 * math.exp(place * _LOG_OF_GROWTH) / (math.exp(_LOG_OF_GROWTH) + 1)


def _counted(values: pyarrow.Array) -> dict[str, int]:
    return dict(_pairs(values))


def _pairs(values: pyarrow.Array) -> Iterator[tuple[str, int]]:
    counts = values.value_counts()
    for value, count in zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True):
        yield str(value), count

"""How answers are distributed, in short, and how far one distribution is from another.

Source: Siddiqi, Credit Risk Scorecards (2006), for the population stability index (PSI).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from math import fsum, log
from statistics import fmean

from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.record import Record
from services.contract.task import Task

_BINS = 10
# A bin that one of both never falls into has half a row, else its logarithm would be infinite.
_HALF = 0.5
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Distribution(Record):
    """Of numbers, and of the probability that is answered where a task is binary: their mean, their quantiles by share,
    and `counts` of rows up to each of the `edges` and beyond the last. Of many labels: the rows of each."""

    rows: int
    labels: dict[str, int] = {}
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    mean: float | None = None
    quantiles: dict[str, float] = {}


def is_of_labels(task: Task) -> bool:
    return task == "classification"


def distribution_of(task: Task, answers: Sequence[Prediction]) -> Distribution:
    """With the deciles of these answers as edges."""
    if is_of_labels(task):
        return Distribution(rows=len(answers), labels=Counter(_label(one) for one in answers))
    if not answers:
        return Distribution(rows=0)
    numbers = sorted(map(number_of, answers))
    edges = tuple(sorted({numbers[len(numbers) * part // _BINS] for part in range(1, _BINS)}))
    counts = Counter(bisect_left(edges, number) for number in numbers)
    return Distribution(
        rows=len(numbers),
        edges=edges,
        counts=tuple(counts[place] for place in range(len(edges) + 1)),
        mean=fmean(numbers),
        quantiles={str(share): numbers[round(share * (len(numbers) - 1))] for share in QUANTILES},
    )


def stability_index(before: Distribution, after: Distribution) -> float | None:
    """PSI over the edges or labels of `before`; None where one of both has no row, or other edges."""
    if not (before.rows and after.rows) or before.edges != after.edges:
        return None
    kinds = sorted({*before.labels, *after.labels})
    sides = [[one.labels.get(kind, 0) for kind in kinds] if kinds else one.counts for one in (before, after)]
    shares = [[max(count, _HALF) / sum(side) for count in side] for side in sides]
    return fsum((now - then) * log(now / then) for then, now in zip(*shares, strict=True))


def _label(answer: Prediction) -> str:
    return str(answer.label) if isinstance(answer, Labelled) else str(answer)

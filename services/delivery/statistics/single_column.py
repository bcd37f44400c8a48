"""How well one column alone predicts the target, against what a constant would: a small tree for each column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

# So many cells are looked at, which keeps all columns together below half a second of CPU.
_CELLS = 300_000
_TOO_FEW, _FEWEST, _MOST = 20, 200, 20_000
_LEAVES, _ROWS_A_LEAF = 256, 5
# Of the rows that are learnt from, in a leaf of the tree that is made for chances: of few rows a leaf knows none.
_SHARE_A_LEAF = 0.025


def sample(rows: int, columns: int) -> list[int]:
    """Places of rows in random order, the same at every call; of few columns more are looked at, of few rows none."""
    if rows < _TOO_FEW:
        return []
    most = min(rows, _MOST, max(_FEWEST, _CELLS // columns))
    return [int(place) for place in numpy.random.default_rng(0).permutation(rows)[:most]]


@dataclass(frozen=True)
class Target:
    """`values` of shape (rows,), numbers or, with `labels`, places of labels. The first half of them is learnt from,
    and what is predicted for the second is measured."""

    values: numpy.ndarray
    labels: bool

    @property
    def half(self) -> int:
        return len(self.values) // 2

    def skill(self, predicted: numpy.ndarray) -> float:
        """1 for what is always right, 0 for the best constant; `predicted` has the shape of the second half.

        By squares, or by the share of wrong labels.
        Source: Murphy, Skill Scores Based on the Mean Square Error, 1988.
        """
        learnt, actual = self.values[: self.half], self.values[self.half :]
        constant = numpy.argmax(numpy.bincount(learnt)) if self.labels else learnt.mean()
        lost = self._loss(actual, constant)
        return 1 - self._loss(actual, predicted) / lost if lost else 0.0

    def _loss(self, actual: numpy.ndarray, predicted: Any) -> float:
        return float(numpy.mean(actual != predicted if self.labels else (actual - predicted) ** 2))


def column_skill(cells: Sequence[Any], target: Target) -> float:
    """`cells` are numbers, or texts and None where one is missing; as many as there are values of the target.

    The better one of a fine tree, for what the column tells exactly, and a coarse one, for what it makes probable.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeClassifier if target.labels else DecisionTreeRegressor
    places, half = _in_order(_numbers(cells, target))[:, None], target.half
    trees = (
        kind(max_leaf_nodes=_LEAVES, min_samples_leaf=rows, random_state=0)
        for rows in {_ROWS_A_LEAF, max(_ROWS_A_LEAF, round(_SHARE_A_LEAF * half))}
    )
    return max(target.skill(tree.fit(places[:half], target.values[:half]).predict(places[half:])) for tree in trees)


def _numbers(cells: Sequence[Any], target: Target) -> numpy.ndarray:
    """Texts that are numbers as these, other texts by the mean target of the rows that have them."""
    try:
        return numpy.array([numpy.nan if cell is None else float(cell) for cell in cells])
    except ValueError:
        pass
    learnt: dict[Any, list[float]] = {}
    for cell, value in zip(cells, target.values[: target.half].tolist(), strict=False):
        learnt.setdefault(cell, []).append(value)
    average = {cell: sum(values) / len(values) for cell, values in learnt.items()}
    return numpy.array([average.get(cell, numpy.nan) for cell in cells])


def _in_order(numbers: numpy.ndarray) -> numpy.ndarray:
    """The place of each among all, which says the same to a tree: it holds numbers in single precision only."""
    told = ~numpy.isnan(numbers)
    placed = numpy.full(len(numbers), numpy.nan)
    placed[told] = numpy.unique(numbers[told], return_inverse=True)[1]
    return placed

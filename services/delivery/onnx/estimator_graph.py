"""A graph while a scikit-learn estimator is written: columns side by side, and rows that the library refuses."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy
from onnx import TensorProto, helper
from sklearn.utils import get_tags

from services.contract.errors import Refused
from services.delivery.onnx.graph import Graph


class NotWrittenError(Exception):
    """Why a step has no ONNX form here, in words; the step's name is put before it."""


UNKNOWN_TEXT = "\u2603 in no table"


@dataclass(frozen=True)
class Part:
    """A tensor of shape (rows, width): strings, or doubles. `raw` is a column as it was given: finite or NaN, and a
    string that is missing, as in an `optional` column, is empty."""

    tensor: str
    width: int
    words: bool = False
    raw: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Classes:
    """The place of each row's label, int64 of shape (rows,), and probabilities of shape (rows, classes)."""

    places: str
    probabilities: str


@dataclass
class EstimatorGraph(Graph):
    """`refused` are tensors of shape (rows, 1), 0 for a row that the library takes and NaN for one that it refuses."""

    refused: list[str] = field(default_factory=list)

    def parts(self) -> list[Part]:
        """The inputs, one after another."""
        return [
            Part(self.column(place), 1, words=column.type == "string", raw=True, optional=not column.required)
            for place, column in enumerate(self.inputs)
        ]

    def matrix(self, parts: Sequence[Part]) -> str:
        """All of them side by side. Raises Refused for strings beside numbers."""
        if len({part.words for part in parts}) > 1:
            raise Refused("expected a ColumnTransformer first where strings stand beside numbers, found none")
        tensors = [part.tensor for part in parts if part.width]
        return tensors[0] if len(tensors) == 1 else self.add("Concat", *tensors, axis=1)

    def numbers(self, parts: Sequence[Part], step: Any) -> str:
        """The matrix of a step that takes numbers; a row with others than the step takes is refused."""
        if any(part.words for part in parts):
            raise NotWrittenError("it is given strings")
        matrix = self.matrix(parts)
        may_be_missing = get_tags(step).input_tags.allow_nan
        if not (may_be_missing and all(part.raw for part in parts)):
            self.refuse_unless_finite(matrix, may_be_missing)
        return matrix

    def refuse_unless_finite(self, matrix: str, may_be_missing: bool) -> None:
        """x - x is 0 for a finite number and NaN for others."""
        if may_be_missing:
            matrix = self.add("Where", self.add("IsNaN", matrix), self.constant(0.0), matrix)
        self.refused.append(self.sum(self.add("Sub", matrix, matrix)))

    def refuse_where(self, condition: str) -> None:
        """`condition` is of shape (rows, 1)."""
        self.refused.append(self.add("Where", condition, self.constant(numpy.nan), self.constant(0.0)))

    def accepted(self, values: str) -> str:
        """`values`, of shape (rows, any), without those of refused rows."""
        return self.add("Sum", values, *self.refused) if self.refused else values

    def sum(self, matrix: str) -> str:
        """Of each row, of shape (rows, 1)."""
        return self.add("ReduceSum", matrix, self.constant([1]), keepdims=1)

    def smallest(self, matrix: str, count: int) -> tuple[str, str]:
        """The smallest of each row in order, and their places."""
        name = f"_{len(self.nodes)}_TopK"
        found = [f"{name}_values", f"{name}_places"]
        self.nodes.append(helper.make_node("TopK", [matrix, self.constant([count])], found, axis=1, largest=0))
        return found[0], found[1]

    def single(self, matrix: str) -> str:
        """Rounded to single precision, as some libraries do before they compare."""
        return self.add("Cast", self.add("Cast", matrix, to=TensorProto.FLOAT), to=TensorProto.DOUBLE)

    def filled(self, value: float, like: str) -> str:
        """A column of this value with the rows of another tensor."""
        rows = self.add("Concat", self.add("Shape", like, end=1), self.constant([1]), axis=0)
        return self.add("Expand", self.constant([[value]]), rows)

    def choose(self, parts: Sequence[Part], places: Iterable[int]) -> list[Part]:
        """Some columns in another order; those that stand in one part stay together."""
        known = [(part, inside) for part in parts for inside in range(part.width)]
        chosen = [known[place] for place in places]
        return [
            self._taken(part, [inside for _, inside in group]) for part, group in _grouped(chosen, lambda one: one[0])
        ]

    def columns(self, parts: Sequence[Part]) -> list[Part]:
        """One part a column."""
        return [self._taken(part, [inside]) for part in parts for inside in range(part.width)]

    def _taken(self, part: Part, places: list[int]) -> Part:
        if places == list(range(part.width)):
            return part
        tensor = self.add("Gather", part.tensor, self.constant(places), axis=1)
        return replace(part, tensor=tensor, width=len(places))


def _grouped(chosen: list[tuple[Part, int]], key: Callable[[tuple[Part, int]], Part]) -> list[tuple[Part, Any]]:
    return [(part, list(group)) for part, group in groupby(chosen, key)]

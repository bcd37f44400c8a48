"""What a model answers for one row: a number, or a label with a probability."""

import math
import statistics
from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from services.contract.errors import Refused
from services.contract.record import Record, first_problem


class Labelled(Record):
    """`probability` is that of the label; of label 1 when the task is binary, whichever label is answered.

    `probabilities` are those of all classes by their names, in the order of the model, where they were asked for.
    """

    # A model may well answer NaN, and a gate must be able to say so.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    label: int | str
    probability: float
    probabilities: dict[str, float] | None = Field(None, repr=False)


Prediction = float | Labelled


def number_of(prediction: Prediction) -> float:
    """The answer, or its probability."""
    return prediction.probability if isinstance(prediction, Labelled) else prediction


def is_finite(prediction: Prediction) -> bool:
    """Whether every number in it is."""
    all_classes = (prediction.probabilities or {}).values() if isinstance(prediction, Labelled) else ()
    return all(map(math.isfinite, (number_of(prediction), *all_classes)))


def difference(expected: Prediction, found: Prediction, scale: float = 0.0) -> float:
    """Relative to the larger one, and at least to `scale`; infinite when labels differ or a number is not finite.

    Probabilities of all classes count where both have them, against 1: most are what other classes leave over.
    """
    if isinstance(expected, Labelled) != isinstance(found, Labelled):
        return math.inf
    if isinstance(expected, Labelled) and isinstance(found, Labelled) and expected.label != found.label:
        return math.inf
    one, other = number_of(expected), number_of(found)
    if not (is_finite(expected) and is_finite(found)):
        return math.inf
    largest = max(abs(one), abs(other), scale)
    return max(abs(one - other) / largest if largest else 0.0, _of_classes(expected, found)[1])


def apart(expected: Prediction | None, found: Prediction | None, scale: float = 0.0) -> float:
    """Their difference; None, which is no answer, is like nothing but itself."""
    if expected is None or found is None:
        return 0.0 if expected is found else math.inf
    return difference(expected, found, scale)


def scale_of(answers: Iterable[Prediction | None]) -> float:
    """What is left when large terms cancel has their rounding errors, in the library as well: so numbers are held
    against at least the median of the answers. Probabilities are not."""
    numbers = [abs(answer) for answer in answers if isinstance(answer, float)]
    return statistics.median(numbers) if numbers else 0.0


def differs_in(expected: Prediction | None, found: Prediction | None) -> str:
    """What was expected and found, in words: of all classes only the one that is furthest apart."""
    if isinstance(expected, Labelled) and isinstance(found, Labelled):
        if expected.probabilities and not found.probabilities:
            return "expected the probabilities of all classes, found none"
        name, apart = _of_classes(expected, found)
        if expected.label == found.label and apart > abs(expected.probability - found.probability):
            mine, others = ((one.probabilities or {}).get(name) for one in (expected, found))
            return f"expected the probability {mine} of '{name}', found {others}"
    return f"expected {expected}, found {found}"


def _of_classes(expected: Prediction, found: Prediction) -> tuple[str, float]:
    """The class whose probabilities are furthest apart, and how far; infinitely when the classes are others."""
    mine, others = (one.probabilities if isinstance(one, Labelled) else None for one in (expected, found))
    if not mine or not others:
        return "", 0.0
    if stray := mine.keys() ^ others.keys():
        return min(stray), math.inf
    apart = {name: abs(one - others[name]) for name, one in mine.items()}
    name = max(apart, key=lambda name: math.inf if math.isnan(apart[name]) else apart[name])
    return name, math.inf if math.isnan(apart[name]) else apart[name]


_PREDICTIONS: TypeAdapter[list[Prediction]] = TypeAdapter(list[Prediction])


def read_predictions(content: Any, where: str) -> list[Prediction]:
    """From parsed JSON. Raises Refused, naming `where` and the first answer that is none."""
    try:
        return _PREDICTIONS.validate_python(content)
    except ValidationError as error:
        raise Refused(f"{where}: expected a list of predictions, found {first_problem(error)}") from error

"""What a model answers for one row: a number, or a label with a probability."""

import math
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from services.contract.errors import Refused
from services.contract.record import Record, first_problem


class Labelled(Record):
    """`probability` is that of the label; of label 1 when the task is binary, whichever label is answered."""

    # A model may well answer NaN, and a gate must be able to say so.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    label: int | str
    probability: float


Prediction = float | Labelled


def number_of(prediction: Prediction) -> float:
    """The answer, or its probability."""
    return prediction.probability if isinstance(prediction, Labelled) else prediction


def difference(expected: Prediction, found: Prediction, scale: float = 0.0) -> float:
    """Relative to the larger one, and at least to `scale`; infinite when labels differ or a number is not finite."""
    if isinstance(expected, Labelled) != isinstance(found, Labelled):
        return math.inf
    if isinstance(expected, Labelled) and isinstance(found, Labelled) and expected.label != found.label:
        return math.inf
    one, other = number_of(expected), number_of(found)
    if not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    largest = max(abs(one), abs(other), scale)
    return abs(one - other) / largest if largest else 0.0


_PREDICTIONS: TypeAdapter[list[Prediction]] = TypeAdapter(list[Prediction])


def read_predictions(content: Any, where: str) -> list[Prediction]:
    """From parsed JSON. Raises Refused, naming `where` and the first answer that is none."""
    try:
        return _PREDICTIONS.validate_python(content)
    except ValidationError as error:
        raise Refused(f"{where}: expected a list of predictions, found {first_problem(error)}") from error

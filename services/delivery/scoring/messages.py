"""What the child process is given, and what it gives back: inputs and predictions, never the targets."""

from typing import Any, TypeGuard

from pydantic import ConfigDict

from services.contract.prediction import Prediction, is_finite
from services.contract.record import Record
from services.contract.release import Column, Form
from services.contract.row_times import Round


class ScoringRequest(Record):
    """`rows` are hold-out rows, `edges` are those beside, `timed` are asked one at a time until they are within
    `limit_ms`; all hold the inputs in order, None where one is missing."""

    inputs: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...] = ()
    edges: tuple[tuple[Any, ...], ...] = ()
    timed: tuple[tuple[Any, ...], ...] = ()
    limit_ms: float = 0.0


class Scores(Record):
    """An answer a row, finite or not, None for a row that the model cannot take: the same whenever it is asked.

    `classes` are a classifier's, in the order of its probabilities; answers have those of all in rows spread evenly.
    `failure` is the first of the rows that it fails on, and the library's own reason; edges do not count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    classes: tuple[str, ...]
    predictions: tuple[Prediction | None, ...]
    edges: tuple[Prediction | None, ...]
    failure: str | None = None

    @property
    def finite(self) -> list[Prediction]:
        """The answers that are any; as many as there are rows when the model could take them all."""
        return [one for one in self.predictions if _is_finite(one)]

    @property
    def finite_edges(self) -> list[Prediction | None]:
        """None as well where the answer is not finite: the service gives none."""
        return [one if _is_finite(one) else None for one in self.edges]


def _is_finite(answer: Prediction | None) -> TypeGuard[Prediction]:
    return answer is not None and is_finite(answer)


class ScoringReply(Record):
    """What the child gives back: answers, and what the timed rows took just now."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    scores: Scores
    rounds: tuple[Round, ...]


class Forms(Record):
    """The forms that a model has, the preferred one first; `notes` say why one is missing."""

    forms: tuple[Form, ...]
    notes: tuple[str, ...]

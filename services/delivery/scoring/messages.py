"""What the child process is given, and what it gives back: inputs and predictions, never the targets."""

from enum import StrEnum
from typing import Any, TypeGuard

from pydantic import ConfigDict

from services.contract.prediction import Prediction, is_finite
from services.contract.record import Record
from services.contract.release import Column, Form

PHASE_FILE = "phase"
ANSWERS_FILE, EDGES_FILE = "answers.json", "edges.json"
STABILITY_FILE, FOOTPRINT_FILE, FORMS_FILE = "stability.json", "footprint.json", "forms.json"


class Phase(StrEnum):
    """What the child does, in this order, and is heard to have done last when it ends too early."""

    LOADING = "loading the model"
    ANSWERING = "answering the hold-out"
    ROBUSTNESS = "answering missing, unseen and extreme values"
    STABILITY = "answering the same rows again"
    FORMS = "turning the model into a graph"
    DONE = "done"


class ScoringRequest(Record):
    """`rows` are hold-out rows, `edges` are those beside; all hold the inputs in order, None where one is missing.

    Only what is `examined` is asked the same rows again, measured and turned into a graph.
    """

    inputs: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    edges: tuple[tuple[Any, ...], ...] = ()
    examined: bool = False


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


class EdgeAnswers(Record):
    """As `Scores`, of the edges; `refusals` are the library's own reasons for those that it cannot take."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    predictions: tuple[Prediction | None, ...]
    refusals: tuple[str, ...]


class Stability(Record):
    """How far answers to the same rows are apart, relative: `rows` were asked together again and in another order, and
    `singles` of them alone; `worst` is the one that is furthest apart, in words."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)

    rows: int
    singles: int
    largest: float
    worst: str


class Footprint(Record):
    """What the child took until it had answered everything: processor time and the most memory, of all its processes;
    and whether it could reach no network."""

    cpu_seconds: float
    memory_bytes: int
    offline: bool


class Forms(Record):
    """The forms that a model has, the preferred one first; `notes` say why one is missing."""

    forms: tuple[Form, ...]
    notes: tuple[str, ...]

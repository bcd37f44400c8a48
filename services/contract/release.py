"""A release: the servable form of a model with everything needed to answer for it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.distribution import Distribution
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction, difference, differs_in
from services.contract.record import ModelName, Record, Revision, Sha256
from services.contract.rollout_plan import RolloutPlan
from services.contract.task import Task
from services.contract.validation import Validation

ImageDigest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

MOST_WORKERS = 64
# What is read in some 20 ms.
_LISTS, _LISTS_A_ROW = 50_000, 10


class Column(Record):
    """An input column; `type` is `double`, `long`, `string`, `boolean`, `date` or `datetime`.

    What may be left out (`required` false) is null in JSON. A date or datetime is a text of ISO 8601 there.
    """

    name: str
    type: str
    required: bool = True


class PredictionLog(Record):
    """Which share of the requests is kept, in how many bytes for the model, and whether with their rows.

    With `digest` only the SHA-256 of the rows is kept, for data that must not be stored twice.
    """

    share: float = Field(0.0, ge=0, le=1)
    max_bytes: int = Field(64_000_000, ge=1_000_000)
    inputs: Literal["full", "digest"] = "full"


class ServingLimits(Record):
    """What clients may ask, hold and make others wait for; whoever asks more is told so at once.

    `replicas` is how many containers answer together, so that one may die; a platform of processes has one, whose
    socket outlives it. `workers` is how many processes a replica has, which answer on one socket; `auto` is one a core.
    """

    max_rows: int = Field(1000, ge=1, le=10_000_000, description="rows of a request; else 413")
    max_bytes: int = Field(1_000_000, ge=1, le=1 << 30, description="bytes of a request's body; else 413")
    max_lists: int | None = Field(
        None, ge=1, description="lists and objects in a body of JSON; else 413; 50,000 or 10 a row if not given"
    )
    body_seconds: float = Field(5.0, gt=0, le=3600, description="seconds in which a body must have come; else 408")
    max_requests: int = Field(64, ge=1, le=100_000, description="requests that are answered at once; else 503")
    header_bytes: int = Field(32 << 10, ge=1024, le=1 << 20, description="bytes of a request's headers; else 431")
    header_lines: int = Field(100, ge=10, le=10_000, description="lines of a request's headers; else 431")
    header_seconds: float = Field(5.0, gt=0, le=3600, description="seconds in which headers must have come; else 408")
    idle_seconds: float = Field(
        15.0, ge=1, le=15, description="seconds without a request, or without taking an answer, that end a connection"
    )
    max_connections: int = Field(1000, ge=1, le=100_000, description="connections of all clients; else the idlest ends")
    max_connections_a_peer: int = Field(
        500, ge=1, le=100_000, description="those of one address; behind the gateway it has limits of its own"
    )
    replicas: int = Field(2, ge=1, le=8, description="containers that answer together")
    workers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] | Literal["auto"] = Field(
        1, description="processes of a replica, which answer on one socket; auto is one a core"
    )
    prediction_log: PredictionLog = Field(PredictionLog(), description="what is kept of the requests")

    @field_validator("workers", mode="before")
    @classmethod
    def _known_number(cls, found: Any) -> Any:
        if found != "auto" and (type(found) is not int or not 1 <= found <= MOST_WORKERS):
            raise ValueError(f"expected a number from 1 to {MOST_WORKERS}, or auto, found {found!r}")
        return found

    @property
    def most_lists(self) -> int:
        return self.max_lists or max(_LISTS, _LISTS_A_ROW * self.max_rows)


class Retention(Record):
    """How many releases stay in the store, the newest first; live and previous ones stay in any case."""

    releases: int = Field(5, ge=1, le=1000)


class Golden(Record):
    """Hold-out rows with the training library's own answers; replayed at every load."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    predictions: tuple[Prediction, ...]
    tolerance: float = 1e-9

    @property
    def of_all_classes(self) -> "Golden":
        """Only the rows of which the probabilities of all classes are known."""
        chosen = [
            (row, one)
            for row, one in zip(self.rows, self.predictions, strict=False)
            if isinstance(one, Labelled) and one.probabilities
        ]
        rows, predictions = tuple(row for row, _ in chosen), tuple(one for _, one in chosen)
        return self.model_copy(update={"rows": rows, "predictions": predictions})

    def check(self, found: Sequence[Prediction]) -> None:
        """Raises Refused, naming the first row whose answer is not the library's own within the tolerance."""
        if not self.rows or not len(self.rows) == len(self.predictions) == len(found):
            raise Refused(
                f"expected a golden prediction and an answer a row, found {len(self.predictions)} and {len(found)} "
                f"for {len(self.rows)} rows"
            )
        for row, (expected, answer) in enumerate(zip(self.predictions, found, strict=True)):
            if difference(expected, answer) > self.tolerance:
                raise Refused(f"golden row {row}: {differs_in(expected, answer)}: not the model that was trained")


class Form(Record):
    """A way to serve a model: which runtime of the prediction service answers, from which file of the release.

    Its answers are the training library's own within `tolerance`, relative.
    """

    runtime: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
    file: str
    tolerance: float


class Servable(Record):
    """The form that was chosen, None when the release is for batch only; `notes` say why, in words."""

    form: Form | None
    notes: tuple[str, ...]


class Manifest(Record):
    """`manifest.json` of a release. Beside it stand `golden.json`, the folder `model/` as MLflow stored it, and the
    folder `servable/` when the model was turned into another form.

    `classes` are a classifier's, in the order of its probabilities; `answers` is how those to the hold-out are
    distributed. A release that was packaged before has none of them.
    """

    model: ModelName
    revision: Revision
    description: str
    library: str
    task: Task
    unit: str
    servable: Servable
    inputs: tuple[Column, ...]
    classes: tuple[str, ...] = ()
    answers: Distribution | None = None
    limits: ServingLimits
    rollout: RolloutPlan = RolloutPlan()
    golden: Sha256
    candidate: Candidate
    validation: Validation
    comparison: Comparison


class Image(Record):
    """The release as a container image: `repository` without a registry's host, the digests as `sha256:<hex>`."""

    release: Sha256
    repository: str
    digest: ImageDigest
    base: ImageDigest


class Release(Record):
    """What travels: the digest of the release folder, its manifest, and where there is a registry its image."""

    digest: Sha256
    manifest: Manifest
    image: Image | None = None

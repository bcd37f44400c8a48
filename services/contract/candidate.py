"""A candidate: a promoted run whose files are here and whose origin is known."""

from datetime import datetime

from services.contract.digest import FileEntry
from services.contract.promotion import Promotion
from services.contract.record import Record, RunId, Sha256


class DataDigest(Record):
    """A data set by the SHA-256 of its canonical CSV bytes."""

    sha256: Sha256
    rows: int
    source: str


class RunFacts(Record):
    """Everything that went into a run, as MLflow recorded it."""

    run_id: RunId
    name: str
    experiment_id: str
    user: str
    started_at: datetime
    ended_at: datetime
    git_commit: str | None
    git_dirty: bool | None
    libraries: dict[str, str]
    parameters: dict[str, str]
    metrics: dict[str, float]
    training: DataDigest
    holdout: DataDigest


class PipelineRef(Record):
    """The GoCD pipeline instance that does the work."""

    name: str
    counter: int
    label: str


class Candidate(Record):
    """`digest` is that of the whole model folder, whose files are listed."""

    promotion: Promotion
    run: RunFacts
    pipeline: PipelineRef | None
    library: str
    digest: Sha256
    files: tuple[FileEntry, ...]

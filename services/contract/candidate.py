"""A candidate: the files of a promoted run, with everything that went into it."""

from datetime import datetime
from enum import StrEnum

from services.contract.digest import FileEntry
from services.contract.promotion import Promotion
from services.contract.record import Record, RunId, Sha256


class DataDigest(Record):
    """A data set by the SHA-256 of its canonical CSV bytes."""

    sha256: Sha256
    rows: int
    source: str


class DataSchema(Record):
    """How rows are declared and split: inputs in order with their types, those that may be missing, the target.

    `split_by` is None when whole rows were hashed, `split_by_time` unless the last rows by it were held out.
    """

    columns: dict[str, str]
    optional: tuple[str, ...]
    target: str
    target_type: str
    split_by: str | None
    split_by_time: str | None = None
    holdout_percent: int


class Sources(Record):
    """The files that rows were made from: those of installed packages, whose versions are given, by their path in
    site-packages; or, without packages, the one file that was given by hand."""

    packages: dict[str, str]
    files: tuple[FileEntry, ...]


class SourcesDigest(Record):
    """`Sources` in short: their number and the digest of their list, which is that of a folder with these files."""

    packages: dict[str, str]
    files: int
    sha256: Sha256


class Environment(Record):
    """What was installed: the SHA-256 of the sorted `name==version` lines, and the lock file that they come from,
    None when something else is installed than any lock file says."""

    packages: int
    sha256: Sha256
    lock: str | None


class Machine(Record):
    """Where a run was trained; `cores` are those that the job was allowed to use."""

    python: str
    system: str
    processor: str
    cores: int


class ColumnSummary(Record):
    """The values of a column in short, as `training/summaries.py` takes them: the share of rows without one, how many
    differ, quantiles of numbers, and the shares of the most frequent words."""

    missing: float
    distinct: int
    quantiles: tuple[float, ...] = ()
    shares: dict[str, float] = {}


class Provenance(Record):
    """How a run came to be, as far as it was recorded: what is None was not, because other code logged the run.

    `row_hashes` is the SHA-256 of the artifact with two hashes of each training row; `columns` are those of the
    training set, the target among them.
    """

    libraries: dict[str, str] | None = None
    training: DataDigest | None = None
    holdout: DataDigest
    data_schema: DataSchema
    sources: SourcesDigest | None = None
    environment: Environment | None = None
    machine: Machine | None = None
    row_hashes: Sha256 | None = None
    columns: dict[str, ColumnSummary] | None = None


class RunFacts(Provenance):
    """Everything that went into a run, as MLflow recorded it."""

    run_id: RunId
    name: str
    experiment_id: str
    user: str
    started_at: datetime
    ended_at: datetime
    git_commit: str | None
    git_dirty: bool | None
    parameters: dict[str, str]
    metrics: dict[str, float]


class PipelineRef(Record):
    """The GoCD pipeline instance that does the work."""

    name: str
    counter: int
    label: str


class Purpose(StrEnum):
    """What becomes of a candidate that passes: only that of a promotion may answer."""

    PROMOTION = "promotion"
    PREVIEW = "preview"
    REHEARSAL = "rehearsal"


class Candidate(Record):
    """`digest` is that of the whole model folder, whose files are listed."""

    promotion: Promotion
    run: RunFacts
    pipeline: PipelineRef | None
    library: str
    digest: Sha256
    files: tuple[FileEntry, ...]
    purpose: Purpose = Purpose.PROMOTION

    @property
    def promoted(self) -> bool:
        return self.purpose is Purpose.PROMOTION

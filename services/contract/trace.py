"""The origin of a release: its deployments, verdicts, pipeline, run and data."""

from services.contract.candidate import Candidate, PipelineRef
from services.contract.comparison import Comparison
from services.contract.deployment import Deployment
from services.contract.machine_image import ImageContent
from services.contract.outcome import Outcome
from services.contract.prediction_log import LoggedPrediction
from services.contract.receipt import Receipt
from services.contract.record import ModelName, Record, Revision, Sha256
from services.contract.release import Servable
from services.contract.validation import Validation


class Trace(Record):
    """`deployments` are all times this release was put live, oldest first; `links` open in a browser; `later` is what
    became of the promotions after this one, the newest first, as far as GoCD could be asked. `machine_image` is what
    was traced in place of an answer, or what the store has of this release; `batches` are the receipts of what it has
    scored, the newest first, as far as the store has them. `request` is what a prediction log has of one answer, where
    that was traced."""

    model: ModelName
    revision: Revision
    release: Sha256
    deployments: tuple[Deployment, ...]
    candidate: Candidate
    validation: Validation
    comparison: Comparison
    servable: Servable
    pipeline: PipelineRef | None
    links: dict[str, str]
    later: tuple[Outcome, ...] = ()
    machine_image: ImageContent | None = None
    batches: tuple[Receipt, ...] = ()
    request: LoggedPrediction | None = None

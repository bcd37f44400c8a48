"""accept: let what could not be decided count as good enough."""

import getpass
import re
import subprocess
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.record import ModelName, Record, RunId
from services.contract.verdict import Acceptance
from services.delivery.clients.registry import Registry, Run
from services.delivery.output import emit, say
from services.delivery.promotions.acceptances import to_accept
from services.delivery.promotions.trigger import ask_to_run_again
from services.delivery.reports.run_page import noted
from services.delivery.settings import Settings

_JUDGED_BY = re.compile(rf"/({names.MODEL_NAME.pattern})/\d+$")


class Accepted(Record):
    """What was recorded; `triggered` tells whether GoCD runs the stage again."""

    model: ModelName
    run_id: RunId
    acceptance: Acceptance
    triggered: bool


def accept(
    run: Annotated[str, typer.Argument(help="The run's id, 32 hex digits.")],
    reason: Annotated[str, typer.Option(help="Why it is good enough; shown in report and trace.")],
    by: Annotated[str | None, typer.Option(help="Who says so; your name in git, else your user name.")] = None,
) -> None:
    """Overrule an inconclusive verdict of validate or compare on the run's newest promotion, and run the stage again.

    What failed is not overruled. Example: trackback accept 0123456789abcdef0123456789abcdef --reason "the hold-out
    of this month has 80 rows"
    """
    settings = Settings()
    done = accepted(settings, run, reason, by or _name())
    emit(done)


def accepted(settings: Settings, run_id: str, reason: str, by: str) -> Accepted:
    """Raises Refused, and nothing is recorded, when nothing on the run is inconclusive or no reason is given.

    What was accepted before stays as it was said then; only the stage is run again.
    """
    if not names.RUN_ID.fullmatch(run_id):
        raise Refused(f"expected a run id of 32 hex digits, found '{run_id}': copy it from the run's page in MLflow")
    said, who = " ".join(reason.split()), " ".join(by.replace(":", " ").split())
    if not said or not who:
        raise Refused("expected a reason and a name, found none: say why this is good enough, and who says so")
    with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization) as registry:
        run = registry.run(run_id)
        found = to_accept(run_id, run.data.tags)
        model = _pipeline(run) or registry.experiment_name(run)
        acceptance = found.accepted or Acceptance(
            stage=found.stage, revision=found.revision, by=who, at=datetime.now(UTC).replace(microsecond=0), reason=said
        )
        _record(registry, run, acceptance)
    say(f"{model} {found.revision} {found.stage} inconclusive, {acceptance}")
    triggered = ask_to_run_again(settings, model, found.revision, found.stage)
    return Accepted(model=model, run_id=run_id, acceptance=acceptance, triggered=triggered)


def _pipeline(run: Run) -> str | None:
    """That judged it, which has the model's name: an alias may promote runs of any experiment."""
    found = _JUDGED_BY.search(run.data.tags.get(names.PIPELINE_TAG, ""))
    return found[1] if found else None


def _record(registry: Registry, run: Run, acceptance: Acceptance) -> None:
    noted(registry, run, {names.ACCEPTED_TAGS[acceptance.stage]: acceptance.tag})


def _name() -> str:
    """As commits have it, because the same person writes model.yaml."""
    try:
        asked = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    except OSError:
        return getpass.getuser()
    return asked.stdout.strip() or getpass.getuser()

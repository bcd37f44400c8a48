"""promote: tag a run so that GoCD takes it to production."""

import getpass
import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.promotion import TagValue, reason_for
from services.contract.record import ModelName, Record, RunId
from services.delivery.clients.registry import Registry, Run, model_id
from services.delivery.output import emit, say
from services.delivery.promotions.trigger import ask_for_poll
from services.delivery.settings import Settings


class Promoted(Record):
    """The tag that was written; `triggered` tells whether GoCD was asked to look at once."""

    model: ModelName
    run_id: RunId
    tag: str
    value: str
    reason: str
    triggered: bool


def promote(
    model: Annotated[str, typer.Argument(help="The model, which is also the experiment's name.")],
    run: Annotated[str, typer.Option(help="The run's id, 32 hex digits.")],
    reason: Annotated[str, typer.Option(help="Why; shown in GoCD and in every trace.")],
    who: Annotated[str | None, typer.Option("--as", help="Who promotes; your user name if not given.")] = None,
) -> None:
    """Tag a finished run with 'promote' and let GoCD look at once.

    Example: trackback promote diamond-price --run 0123456789abcdef0123456789abcdef --reason "lower error"
    """
    settings = Settings()
    done = promoted(settings, model, run, " ".join(reason.split()), who or getpass.getuser())
    say(f"promoted run {run[:8]} of {model} as '{done.value}'")
    emit(done)


def promoted(settings: Settings, model: str, run_id: str, reason: str, who: str) -> Promoted:
    """Raises Refused, and no tag is written, when the run cannot be delivered."""
    if not names.RUN_ID.fullmatch(run_id):
        raise Refused(f"expected a run id of 32 hex digits, found '{run_id}': copy it from the run's page in MLflow")
    with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization) as registry:
        found = registry.run(run_id)
        refuse_unready(registry, found, model)
        highest = registry.highest_sequence(found.info.experiment_id, names.PROMOTE_TAG)
        value = TagValue(sequence=highest + 1, at=datetime.now(UTC), who=_one_line(who))
        # The reason first: once the promoting tag is there, GoCD may read all.
        because = {names.REASON_TAG: reason, names.REASON_FOR_TAG: reason_for(value, reason)}
        registry.set_tags(run_id, {**because, names.PROMOTE_TAG: str(value)})
    triggered = ask_for_poll(settings, model)
    return Promoted(
        model=model, run_id=run_id, tag=names.PROMOTE_TAG, value=str(value), reason=reason, triggered=triggered
    )


def refuse_unready(registry: Registry, run: Run, model: str) -> None:
    """Raises Refused for a run that cannot be promoted, whoever logged it."""
    if run.info.lifecycle_stage != "active":
        raise Refused(f"expected an active run, found {run.info.run_id} deleted: restore it in MLflow first")
    if (experiment := registry.experiment_name(run)) != model:
        raise Refused(f"expected a run of experiment '{model}', found one of '{experiment}': log it there")
    if run.info.status != "FINISHED":
        raise Refused(f"expected a finished run, found status {run.info.status}")
    if model_id(run) is None:
        raise Refused(f"expected a run that logged a model, found none in {run.info.run_id}")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip() or "unknown"

"""promote-now, pause, resume, abort: what a person orders of the step that a release is in."""

import getpass
from typing import Annotated

import typer

from services.contract.deployment import StepOrder, StepRequest
from services.contract.errors import Refused
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit, say
from services.delivery.settings import Settings
from services.delivery.takeover.words import step_words

Model = Annotated[str, typer.Argument(help="The model.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the ledger.")]
Who = Annotated[str | None, typer.Option("--as", help="Who orders it; your user name if not given.")]


def promote_now(model: Model, reason: Reason = "", who: Who = None) -> None:
    """Leave out what is left of a release's steps: a candidate goes live, and what is in its bake is released.

    Its answers are not judged any more. Example: trackback promote-now diamond-price --reason "a fix that cannot wait"
    """
    _order(model, StepOrder.PROMOTE_NOW, reason, who)


def pause(model: Model, reason: Reason = "", who: Who = None) -> None:
    """Keep a release in the step that it is in, however good it is; what is bad goes back all the same.

    Example: trackback pause diamond-price --reason "until the campaign is over"
    """
    _order(model, StepOrder.PAUSE, reason, who)


def resume(model: Model, reason: Reason = "", who: Who = None) -> None:
    """Let a release go on that was paused in a step.

    Example: trackback resume diamond-price
    """
    _order(model, StepOrder.RESUME, reason, who)


def abort(model: Model, reason: Reason = "", who: Who = None) -> None:
    """Take a release back from the step that it is in; what was live before it gets all of the traffic.

    Example: trackback abort diamond-price --reason "customers complain"
    """
    _order(model, StepOrder.ABORT, reason, who)


def _order(model: str, order: StepOrder, reason: str, who: str | None) -> None:
    if order in (StepOrder.PROMOTE_NOW, StepOrder.ABORT) and not reason.strip():
        raise Refused(f"expected --reason with why {order} is ordered, found none: the ledger keeps it")
    settings = Settings()
    rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
    status = rollout.order(model, StepRequest(order=order, by=who or getpass.getuser(), reason=reason))
    if status is None:
        say(f"{model}: {order} is ordered of the release that is just being loaded")
        return
    say(f"{model}: {order} is ordered; {step_words(status)}")
    emit(status)

"""rollback: the release that answered before answers again."""

import getpass
from typing import Annotated

import typer

from services.contract.deployment import RollbackRequest
from services.delivery.output import emit, say
from services.delivery.rollout_client import Rollout
from services.delivery.settings import Settings


def rollback(
    model: Annotated[str, typer.Argument(help="The model.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the journal and shown in traces.")],
    who: Annotated[str | None, typer.Option("--as", help="Who rolls back; your user name if not given.")] = None,
) -> None:
    """Switch back to the previous release, without a build and without losing a request.

    Example: trackback rollback diamond-price --reason "prices of large stones are off"
    """
    request = RollbackRequest(by=who or getpass.getuser(), reason=reason)
    settings = Settings()
    deployment = Rollout(settings.trackback_rollout_url, token=settings.rollout_token).rollback(model, request)
    say(f"{model} is back on {deployment.revision} ({deployment.release[:12]}…)")
    emit(deployment)

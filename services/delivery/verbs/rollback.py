"""rollback: the release that answered before answers again."""

import getpass
from typing import Annotated

import typer

from services.contract.deployment import RollbackRequest
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit, say
from services.delivery.reports.run_page import follow_with_alias, tell_live
from services.delivery.settings import Settings


def rollback(
    model: Annotated[str, typer.Argument(help="The model.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the journal and shown in traces.")],
    who: Annotated[str | None, typer.Option("--as", help="Who rolls back; your user name if not given.")] = None,
) -> None:
    """Switch back to the previous release, without a build and without losing a request; the alias 'champion' follows.

    Example: trackback rollback diamond-price --reason "prices of large stones are off"
    """
    request = RollbackRequest(by=who or getpass.getuser(), reason=reason)
    settings = Settings()
    rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
    deployment = rollout.rollback(model, request)
    say(f"{model} is back on {deployment.revision} ({deployment.release[:12]}…)")
    follow_with_alias(settings, deployment)
    tell_live(settings, rollout, model)
    emit(deployment)

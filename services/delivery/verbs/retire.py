"""retire: nothing answers for the model any more."""

import getpass
from typing import Annotated

import typer

from services.contract.deployment import RetireRequest
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit, say
from services.delivery.reports.aliases import tell_aliases
from services.delivery.reports.run_page import tell_live
from services.delivery.settings import Settings


def retire(
    model: Annotated[str, typer.Argument(help="The model.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.")],
    who: Annotated[str | None, typer.Option("--as", help="Who retires it; your user name if not given.")] = None,
) -> None:
    """Take a model out of service: requests under way are answered, later ones refused; its release stays in the store.

    `trackback rollback` brings the same release back, and so does the next promotion another one. Works without MLflow
    and GoCD. Example: trackback retire diamond-price --reason "replaced by stone-price"
    """
    settings = Settings()
    rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
    done = rollout.retire(model, RetireRequest(by=who or getpass.getuser(), reason=reason))
    say(f"{model} is retired since {done.at:%Y-%m-%d %H:%M:%S} UTC: {done.deployment.revision} answers no more")
    tell_aliases(settings, rollout, model)
    tell_live(settings, rollout, model)
    emit(done)

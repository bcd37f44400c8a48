"""rollback: the release that answered before answers again, or any other that once did."""

import getpass
import sys
from typing import Annotated

import typer

from services.contract.deployment import RollbackPlan, RollbackRequest
from services.contract.errors import Refused
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit, say
from services.delivery.reports.aliases import tell_aliases
from services.delivery.reports.run_page import follow_with_alias, tell_live
from services.delivery.settings import Settings


def rollback(
    model: Annotated[str, typer.Argument(help="The model.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger and shown in traces.")] = "",
    to: Annotated[
        str | None, typer.Option(help="A revision that has answered, or 8 digits of its release; else the one before.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    who: Annotated[str | None, typer.Option("--as", help="Who rolls back; your user name if not given.")] = None,
) -> None:
    """Switch back to a release that has answered, without a build and without losing a request; the aliases follow.

    Its files are held against their digest and it repeats its golden rows before it gets traffic. Works without MLflow
    and GoCD. Example: trackback rollback diamond-price --reason "prices of large stones are off"
    """
    settings = Settings()
    rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
    if dry_run:
        plan = rollout.plan(model, to)
        sys.stderr.writelines(f"{line}\n" for line in lines(plan))
        emit(plan)
        return
    if not reason.strip():
        raise Refused("expected --reason with why it is rolled back, found none: the ledger keeps it")
    deployment = rollout.rollback(model, RollbackRequest(by=who or getpass.getuser(), reason=reason, to=to))
    say(f"{model} is back on {deployment.revision} ({deployment.release[:12]}…)")
    follow_with_alias(settings, deployment)
    tell_aliases(settings, rollout, model)
    tell_live(settings, rollout, model)
    emit(deployment)


def lines(plan: RollbackPlan) -> list[str]:
    target = f"{plan.target.revision} (release {plan.target.release[:12]}…)"
    if plan.standing:
        return [f"{target} answers already: nothing would change"]
    loaded = "still loaded" if plan.loaded else "not loaded"
    return [
        f"would go back to {target}, which is {loaded}",
        *(f"checked: {one}" for one in plan.checks),
        *(f"changed: {one}" for one in plan.changes),
    ]

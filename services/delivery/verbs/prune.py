"""prune: old releases, their images and what was cached go; what answers, did before or came last stays."""

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.contract.errors import Refused
from services.contract.model_config import list_models, load_model_config
from services.contract.release import Retention
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit, say
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.retention.pruning import Housekeeping, Needs
from services.delivery.retention.pruning import prune as pruned
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.history import AsJson


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, as_json: AsJson = False
) -> None:
    """Remove releases beyond the last ones of each model, and cached models that no release has for a week.

    What is live, what was before it, what is newer, and what a batch's receipt or a machine image refers to always
    stays, and the last five: `retention: {releases: 5}` of model.yaml. `deploy` does this by itself when it is done.
    Example: trackback prune --dry-run
    """
    done = _pruned(Settings(), dry_run)
    if as_json:
        emit(done)
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(done))


def prune_after_switch(settings: Settings) -> None:
    """Never raises: a switch that was made is not undone by what is left lying about."""
    try:
        done = _pruned(settings, dry_run=False)
    except (Refused, OSError) as error:
        say(f"note: nothing old was removed ({error})")
        return
    if done.removed or done.notes:
        for line in lines(done):
            say(line)


def lines(done: Housekeeping) -> list[str]:
    verb, free = ("would remove", "would be") if done.dry_run else ("removed", "are")
    told = [f"{verb} {one.what}: {one.bytes:,} bytes, {one.folder}" for one in done.removed]
    return [*told, *done.notes, f"kept {', '.join(done.kept) or 'no release'}; {done.bytes:,} bytes {free} free again"]


def _pruned(settings: Settings, dry_run: bool) -> Housekeeping:
    declared = list_models(settings.models)

    def newest(model: str) -> int:
        rule = load_model_config(settings.models, model).retention if model in declared else Retention()
        return rule.releases

    with ExitStack() as opened:
        registry = opened.enter_context(ImageRegistry(settings.registry_url)) if settings.registry_url else None
        rollout = Rollout(settings.rollout_url, token=settings.rollout_access_token)
        store, now = Store(settings.store), datetime.now(UTC)
        return pruned(Needs(store, rollout.state, newest, now, registry, rollout.prune_images), dry_run)

"""deploy: let the release answer, see it answer, and only then move the champion alias."""

import getpass
import signal
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.contract import names
from services.contract.comparison import Comparison, Live
from services.contract.deployment import Deployment, DeployRequest, InPlaceOf
from services.contract.errors import LiveChanged, Refused, SteppedBack
from services.contract.record import write_atomically
from services.contract.release import Release
from services.contract.signals import exit_on
from services.contract.transport import trust
from services.delivery.clients.registry import PATIENCE as MLFLOW_PATIENCE
from services.delivery.clients.registry import Registry
from services.delivery.clients.rollout_client import PATIENCE, Rollout
from services.delivery.output import keep, say
from services.delivery.promotions.acceptances import with_acceptance
from services.delivery.reports.aliases import tell_aliases
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.ledger_notes import note_refused
from services.delivery.reports.report import comparison_page
from services.delivery.reports.run_page import tell_live, tell_verdict
from services.delivery.reports.withdrawn import record_withdrawn
from services.delivery.scoring.background_import import import_in_background
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.takeover.attended import deploy_attended
from services.delivery.takeover.telling import tell_stepped_back
from services.delivery.verbs.prune import prune_after_switch

# Each time another release became live while this one was compared, which nothing does for long.
MOST_COMPARISONS = 5


def deploy(
    release: Annotated[Path, typer.Option(help="release.json as package wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
) -> None:
    """Switch the model's service to the release without losing a request; the alias 'champion' follows.

    When another release is live by now than the one that it was compared with, it is compared again, as compare does.
    It waits while the release goes through the steps of its model.yaml, and aborts them when it is ended itself.
    Exit 1 and the previous release still answers when the new one is not good enough, cannot be loaded, answers
    differently, is taken back in a step or is older than what was delivered before.
    Example: trackback deploy --release out/release.json
    """
    settings = Settings()
    found = Release.read(release)
    rollout = _rollout(settings)
    before = rollout.state(found.manifest.model).live
    # GoCD ends the job of a stage that is cancelled by this signal.
    with exit_on(signal.SIGTERM, status=128 + signal.SIGTERM):
        deployment = deployed(settings, found, out)
    already = "already answers, nothing was to do: it has" if before and before.release == found.digest else "answers"
    say(f"{found.manifest.model} {found.manifest.revision} {already} since {deployment.at:%H:%M:%S} UTC")
    _set_champion(settings, found)
    tell_aliases(settings, rollout, deployment.model)
    tell_live(settings, rollout, deployment.model)
    keep(deployment, out, names.DEPLOYMENT_FILE)
    prune_after_switch(settings)


def deployed(settings: Settings, release: Release, out: Path | None = None) -> Deployment:
    """Raises Refused when a gate or the rollout service says no, or another release answers than this one.

    The comparison that decided is written into `out`.
    """
    if not release.manifest.candidate.promoted:
        raise Refused(
            f"expected a release of a promotion, found that of a {release.manifest.candidate.purpose}: promote the run"
        )
    Store(settings.store).release(release.digest)
    record_withdrawn(settings, release)
    rollout = _rollout(settings)
    import_in_background("services.delivery.reports.matplotlib_parts")
    try:
        deployment = _let_answer(settings, rollout, release, out)
    finally:
        # Only now, so that nothing that is to answer waits for it.
        _draw_report(out)
    _see_it_answer(settings.answers_at(deployment.model) or rollout.state(deployment.model).url, release)
    return deployment


def _rollout(settings: Settings) -> Rollout:
    return Rollout(settings.rollout_url, PATIENCE, settings.rollout_access_token)


def _let_answer(settings: Settings, rollout: Rollout, release: Release, out: Path | None) -> Deployment:
    comparison = release.manifest.comparison
    for _ in range(MOST_COMPARISONS):
        if out:
            comparison.write(out / names.COMPARISON_FILE)
        if not comparison.passes:
            raise Refused(f"{release.manifest.revision} is not good enough for what is live now: {comparison.summary}")
        try:
            return deploy_attended(rollout, release.manifest.model, _request(release, comparison.live))
        except SteppedBack as back:
            tell_stepped_back(settings, release.manifest.candidate, str(back))
            raise
        except LiveChanged as changed:
            say(str(changed))
            again = _compared_again(settings, rollout, release)
            comparison = with_acceptance(settings, release.manifest.candidate, again)
            say(f"compared again, {comparison.verdict.upper()}: {comparison.summary}")
            _tell(settings, release, comparison)
    raise Refused(f"what is live changed {MOST_COMPARISONS} times meanwhile: run this stage again")


def _request(release: Release, live: Live | None) -> DeployRequest:
    promotion = release.manifest.candidate.promotion
    return DeployRequest(
        release=release.digest,
        by=promotion.promoted_by or getpass.getuser(),
        reason=promotion.reason,
        in_place_of=InPlaceOf(release=live.release if live else None),
    )


def _compared_again(settings: Settings, rollout: Rollout, release: Release) -> Comparison:
    """By the same gate, on the same hold-out, with what is live now."""
    # Seldom needed, and slow to import.
    from services.contract.model_config import load_model_config
    from services.delivery.scoring.scoring import Scorer
    from services.delivery.verdicts.comparing import compared

    model = release.manifest.model
    scorer = Scorer.of(settings, load_model_config(settings.models, model))
    return compared(scorer, release.manifest.candidate, rollout.state(model).live)


def _tell(settings: Settings, release: Release, comparison: Comparison) -> None:
    page, record = comparison_page(comparison).encode(), comparison.to_json().encode()
    reports = {names.COMPARISON_PAGE: page, names.COMPARISON_FILE: record}
    candidate = release.manifest.candidate
    tell_verdict(settings, candidate, comparison, reports)
    notify_of_gate(settings, candidate, comparison, comparison.summary, stage="deploy")
    note_refused(settings, candidate, comparison, comparison.summary, stage="deploy")


def _draw_report(out: Path | None) -> None:
    """Of the comparison that decided."""
    if out:
        comparison = Comparison.read(out / names.COMPARISON_FILE)
        write_atomically(out / names.COMPARISON_PAGE, comparison_page(comparison).encode())


def _see_it_answer(url: str | None, release: Release) -> None:
    """Asks the service itself, because only its own word counts."""
    try:
        found = httpx.get(f"{url}/health/ready", timeout=60, verify=trust(url or "")).headers.get(names.RELEASE_HEADER)
    except httpx.HTTPError as error:
        raise Refused(f"expected release {release.digest[:12]}… at {url}, cannot reach it: {error}") from error
    if found != release.digest:
        raise Refused(f"expected release {release.digest[:12]}… to answer at {url}, found {found or 'no name'}")


def _set_champion(settings: Settings, release: Release) -> None:
    run_id, model_id = release.manifest.candidate.run.run_id, release.manifest.candidate.promotion.model_id
    try:
        with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, MLFLOW_PATIENCE) as mlflow:
            version = mlflow.set_champion(release.manifest.model, run_id, str(model_id))
    except Refused as refused:
        raise Refused(f"the release answers, but {refused}; run this stage again") from refused
    say(f"alias '{names.CHAMPION_ALIAS}' of {release.manifest.model} is version {version}")

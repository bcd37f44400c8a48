"""validate: the candidate alone, on the hold-out that a commit has pinned."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.deployment import Deployment
from services.contract.model_config import load_model_config
from services.contract.record import write_atomically
from services.contract.validation import Validation
from services.delivery.gates.decisions import count_decision
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.packaging.chosen_form import FormJudge
from services.delivery.packaging.live_release import live_rounds
from services.delivery.packaging.servable import ask_service
from services.delivery.promotions.acceptances import with_acceptance
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.ledger_notes import note_refused
from services.delivery.reports.report import validation_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verdicts.validating import validate_answers

CandidateFile = Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")]


def validate(candidate: CandidateFile, out: OutFolder = None) -> None:
    """Load the candidate in a child process, ask it the hold-out, hold the answers against model.yaml's gates.

    Exit 1 unless every check passes. Example: trackback validate --candidate out/candidate.json --out out
    """
    import_in_background(
        "services.delivery.gates.quality", "services.contract.metrics", "services.delivery.reports.matplotlib_parts"
    )
    settings = Settings()
    found = Candidate.read(candidate)
    config = load_model_config(settings.models, found.promotion.model)
    scorer = Scorer.of(settings, config)
    answered = validate_answers(scorer, found, _form_judge(settings, scorer, found))
    validation = with_acceptance(settings, found, count_decision(settings, config.gates, found, answered.validation))
    for check in validation.checks:
        off = f" (switched off: {check.off})" if check.off else ""
        say(f"{check.verdict.upper():12} {check.name}: expected {check.expected}; found {check.found}{off}")
    for warning in validation.warnings:
        say(f"{'WARNING':12} {warning}")
    page = validation_page(validation, answered.evidence).encode()
    if out:
        write_atomically(out / names.VALIDATION_PAGE, page)
    keep(validation, out, names.VALIDATION_FILE)
    reports = {names.VALIDATION_PAGE: page, names.VALIDATION_FILE: validation.to_json().encode()}
    tell_verdict(settings, found, validation, reports)
    notify_of_gate(settings, found, validation, misses(validation))
    note_refused(settings, found, validation, misses(validation))
    stop_unless_passed(validation)


def misses(validation: Validation) -> str:
    """The checks that stop it, in words."""
    stopped = [check for check in validation.checks if check.stops]
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in stopped)


def _form_judge(settings: Settings, scorer: Scorer, candidate: Candidate) -> FormJudge:
    """Its service is what production runs; the live release is looked for only when a row takes too long."""
    ask = ask_service(settings.environments, scorer.limits, containers=settings.registry_url is not None)
    find_live = partial(_live, settings.rollout_url, scorer.config.name)
    return FormJudge(scorer, candidate, ask, live_rounds(scorer.store, scorer.config, ask, find_live))


def _live(rollout_url: str, model: str) -> Deployment | None:
    from services.delivery.clients.rollout_client import PATIENCE, Rollout  # seldom needed, and slow to import

    return Rollout(rollout_url, PATIENCE).state(model).live

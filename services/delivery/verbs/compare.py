"""compare: the candidate against the release that answers, on the same hold-out rows."""

from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.model_config import load_model_config
from services.contract.record import write_atomically
from services.contract.verdict import switched_off
from services.delivery.clients.rollout_client import PATIENCE, Rollout
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.packaging.servable import ask_service
from services.delivery.promotions.acceptances import with_acceptance
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.ledger_notes import note_refused
from services.delivery.reports.report import comparison_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verdicts.comparing import compare_answers
from services.delivery.verdicts.taking import taken_beside_live

CandidateFile = Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")]


def compare(candidate: CandidateFile, out: OutFolder = None) -> None:
    """Compare errors on the same rows with a paired bootstrap interval; exit 1 when worse or inconclusive.

    Example: trackback compare --candidate out/candidate.json --out out
    """
    import_in_background("services.delivery.reports.matplotlib_parts")
    settings = Settings()
    found = Candidate.read(candidate)
    config = load_model_config(settings.models, found.promotion.model)
    live = Rollout(settings.rollout_url, PATIENCE).state(config.name).live
    scorer = Scorer.of(settings, config)
    ask = ask_service(settings.environments, scorer.limits, containers=settings.registry_url is not None)
    answered = compare_answers(scorer, found, live, taken_beside_live(scorer, found, ask))
    comparison = with_acceptance(settings, found, answered.comparison)
    say(f"{comparison.verdict.upper()}: {comparison.summary}")
    if off := switched_off(comparison.checks):
        say(off)
    page = comparison_page(comparison, answered.evidence).encode()
    if out:
        write_atomically(out / names.COMPARISON_PAGE, page)
    keep(comparison, out, names.COMPARISON_FILE)
    reports = {names.COMPARISON_PAGE: page, names.COMPARISON_FILE: comparison.to_json().encode()}
    tell_verdict(settings, found, comparison, reports)
    notify_of_gate(settings, found, comparison, comparison.summary)
    note_refused(settings, found, comparison, comparison.summary)
    stop_unless_passed(comparison)

"""compare: the candidate against the release that answers, on the same hold-out rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.prediction import Prediction
from services.contract.record import write_atomically
from services.contract.release import Manifest
from services.delivery.clients.rollout_client import PATIENCE, Rollout
from services.delivery.deltas.costs import Measure, measure_nothing
from services.delivery.deltas.verdict import Sides, beside_live, not_compared, the_first
from services.delivery.gates.same_rows import as_live_sees_it, finite_answers
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.report import comparison_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings

CandidateFile = Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")]


def compare(candidate: CandidateFile, out: OutFolder = None) -> None:
    """Compare errors on the same rows with a paired bootstrap interval; exit 1 when worse or inconclusive.

    Example: trackback compare --candidate out/candidate.json --out out
    """
    settings = Settings()
    found = Candidate.read(candidate)
    config = load_model_config(settings.models, found.promotion.model)
    live = Rollout(settings.rollout_url, PATIENCE).state(config.name).live
    comparison = compared(Scorer.of(settings, config), found, live)
    say(f"{comparison.verdict.upper()}: {comparison.summary}")
    page = comparison_page(comparison).encode()
    if out:
        write_atomically(out / names.COMPARISON_PAGE, page)
    keep(comparison, out, names.COMPARISON_FILE)
    reports = {names.COMPARISON_PAGE: page, names.COMPARISON_FILE: comparison.to_json().encode()}
    tell_verdict(settings, found, comparison, reports)
    notify_of_gate(settings, found, "compare", comparison.verdict, comparison.summary)
    stop_unless_passed(comparison.verdict)


def compared(
    scorer: Scorer, candidate: Candidate, live: Deployment | None, measure: Measure = measure_nothing
) -> Comparison:
    """Inconclusive when one of both does not answer every row; `live` None means that nothing answers yet.

    `measure` runs in a thread while the answers are compared.

    Raises Refused when hold-out or candidate are not in the store as they were fetched, or it brings other code.
    """
    holdout, folder = scorer.holdout(candidate.run.holdout.sha256), scorer.store.model(candidate.digest)
    scorer.refuse_other_code(folder)
    sides = Sides(scorer.config, candidate, live, holdout, scorer.train_py and scorer.train_py.parent)
    try:
        ours = finite_answers(scorer, _request(candidate, folder, candidate), holdout)
    except Refused as refused:
        return not_compared(sides, f"the candidate does not answer the hold-out: {refused}")
    if live is None:
        return the_first(sides, ours)
    try:
        manifest, theirs = _of_live(scorer, live, candidate, holdout)
    except Refused as refused:
        return not_compared(sides, f"live {live.revision} does not answer the hold-out: {refused}")
    with ThreadPoolExecutor(max_workers=1) as pool:
        return beside_live(sides, manifest, ours, theirs, pool.submit(measure, live).result)


def _of_live(
    scorer: Scorer, live: Deployment, candidate: Candidate, holdout: Holdout
) -> tuple[Manifest, list[Prediction]]:
    """From its own release, by the columns that it was trained with."""
    folder = scorer.store.release(live.release)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    config, seen = as_live_sees_it(scorer.config, manifest, holdout)
    request = _request(manifest.candidate, folder / names.MODEL_FOLDER, candidate)
    return manifest, finite_answers(replace(scorer, config=config), request, seen)


def _request(model: Candidate, folder: Path, candidate: Candidate) -> HoldoutRequest:
    """Of the candidate's hold-out, whichever model is asked."""
    return HoldoutRequest(model.library, folder, model.digest, candidate.run.holdout.sha256)

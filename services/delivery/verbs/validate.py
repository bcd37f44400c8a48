"""validate: the candidate alone, on the hold-out that a commit has pinned."""

from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.record import write_atomically
from services.contract.row_times import Round
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict, overall
from services.delivery.gates.answers import finite, loaded, not_loaded
from services.delivery.gates.checks import switched
from services.delivery.gates.custody import custody_checks
from services.delivery.gates.latency import figures, judge_latency
from services.delivery.gates.thresholds import threshold_checks
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.report import validation_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings

CandidateFile = Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")]


def validate(candidate: CandidateFile, out: OutFolder = None) -> None:
    """Load the candidate in a child process, ask it the hold-out, hold the answers against model.yaml's gates.

    Exit 1 unless every check passes. Example: trackback validate --candidate out/candidate.json --out out
    """
    import_in_background("services.contract.metrics")
    settings = Settings()
    found = Candidate.read(candidate)
    config = load_model_config(settings.models, found.promotion.model)
    validation = validated(Scorer.of(settings, config), found)
    for check in validation.checks:
        off = f" (switched off: {check.off})" if check.off else ""
        say(f"{check.verdict.upper():12} {check.name}: expected {check.expected}; found {check.found}{off}")
    page = validation_page(validation).encode()
    if out:
        write_atomically(out / names.VALIDATION_PAGE, page)
    keep(validation, out, names.VALIDATION_FILE)
    reports = {names.VALIDATION_PAGE: page, names.VALIDATION_FILE: validation.to_json().encode()}
    tell_verdict(settings, found, validation, reports)
    notify_of_gate(settings, found, "validate", validation.verdict, misses(validation))
    stop_unless_passed(validation.verdict)


def misses(validation: Validation) -> str:
    """The checks that stop it, in words."""
    stopped = [check for check in validation.checks if check.stops]
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in stopped)


def validated(scorer: Scorer, candidate: Candidate) -> Validation:
    config = scorer.config
    folder = scorer.store.model(candidate.digest)
    checks = custody_checks(candidate, folder, config)
    metrics: dict[str, float] = {}
    latency: dict[str, float] = {}
    if all(check.verdict is Verdict.PASS for check in checks):
        holdout = scorer.holdout(candidate.run.holdout.sha256)
        request = HoldoutRequest(candidate.library, folder, candidate.digest, candidate.run.holdout.sha256)
        of_answers, answered = asked(scorer, request, holdout)
        checks += of_answers
        if answered:
            scores, rounds = answered
            metrics, latency = measured(config.task, scores, holdout), figures(rounds)
            checks += threshold_checks(metrics, config.gates)
    counted = switched(checks, config.gates)
    return Validation(
        model=config.name,
        revision=candidate.promotion.label,
        candidate=candidate.digest,
        holdout=candidate.run.holdout,
        verdict=overall(counted),
        checks=counted,
        metrics=metrics,
        latency_ms=latency,
    )


def asked(
    scorer: Scorer, request: HoldoutRequest, holdout: Holdout
) -> tuple[list[Check], tuple[Scores, tuple[Round, ...]] | None]:
    """Whether the model loads, answers each row with a number and is quick enough; and its answers, if any."""
    try:
        scorer.refuse_other_code(request.folder)
        scores, rounds = scorer.score_and_time(request, holdout)
    except Refused as refused:
        return [not_loaded(refused)], None
    # No check for a library that does not serve by itself: `package` asks the form that will.
    latency = [judge_latency(rounds, scorer.config.gates.latency_p99_ms)] if rounds else []
    return [loaded(scores), finite(scores), *latency], (scores, rounds)


def measured(task: Task, scores: Scores, holdout: Holdout) -> dict[str, float]:
    if len(scores.finite) < len(holdout.rows):
        return {}
    from services.contract.metrics import measure  # imported ahead, while the child process answers

    return measure(task, holdout.actual, scores.finite)

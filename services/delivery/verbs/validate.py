"""validate: the candidate alone, on the hold-out that a commit has pinned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
import yaml

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.cells import model_type
from services.contract.errors import Refused, Undecided
from services.contract.model_config import ModelConfig, Threshold, load_model_config
from services.contract.record import write_atomically
from services.contract.row_times import Round
from services.contract.task import Task
from services.contract.verdict import Check, Validation, Verdict, overall
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.report import validation_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.latency import figures, judge_latency
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
        say(f"{check.verdict.upper():12} {check.name}: expected {check.expected}; found {check.found}")
    page = validation_page(validation).encode()
    if out:
        write_atomically(out / names.VALIDATION_PAGE, page)
    keep(validation, out, names.VALIDATION_FILE)
    reports = {names.VALIDATION_PAGE: page, names.VALIDATION_FILE: validation.to_json().encode()}
    tell_verdict(settings, found, validation, reports)
    notify_of_gate(settings, found, "validate", validation.verdict, misses(validation))
    stop_unless_passed(validation.verdict)


def misses(validation: Validation) -> str:
    """The checks that did not pass, in words."""
    missed = [check for check in validation.checks if check.verdict is not Verdict.PASS]
    return "; ".join(f"{check.name}: expected {check.expected}, found {check.found}" for check in missed)


def validated(scorer: Scorer, candidate: Candidate) -> Validation:
    config = scorer.config
    folder = scorer.store.model(candidate.digest)
    checks = [_holdout(candidate, config), _library(candidate, config), signature_check(folder, config)]
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
            checks += _thresholds(metrics, config)
    return Validation(
        model=config.name,
        revision=candidate.promotion.label,
        candidate=candidate.digest,
        holdout=candidate.run.holdout,
        verdict=overall(checks),
        checks=tuple(checks),
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
        return [_not_loaded(refused)], None
    return [_loaded(scores), _finite(scores), *_latency(rounds, scorer.config)], (scores, rounds)


def _check(name: str, passed: bool, expected: str, found: str) -> Check:
    return Check(name=name, verdict=Verdict.PASS if passed else Verdict.FAIL, expected=expected, found=found)


def _holdout(candidate: Candidate, config: ModelConfig) -> Check:
    pinned, found = config.data.holdout_sha256 or "none yet", candidate.run.holdout.sha256
    return _check("hold-out", found == pinned, f"the hold-out pinned in model.yaml, {pinned[:12]}", found[:12])


def _library(candidate: Candidate, config: ModelConfig) -> Check:
    return _check("library", candidate.library == config.library, config.library, candidate.library)


def signature_check(folder: Path, config: ModelConfig) -> Check:
    """Compares MLmodel's signature with the declared columns, names, order and types."""
    signature = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8")).get("signature") or {}
    inputs = yaml.safe_load(signature.get("inputs") or "[]")
    found = [f"{one.get('name')} {one.get('type')}{'' if one.get('required', True) else '?'}" for one in inputs]
    expected = [f"{column.name} {model_type(column)}{'' if column.required else '?'}" for column in config.inputs]
    return _check("signature", found == expected, ", ".join(expected), ", ".join(found) or "no signature")


def measured(task: Task, scores: Scores, holdout: Holdout) -> dict[str, float]:
    if len(scores.finite) < len(holdout.rows):
        return {}
    from services.contract.metrics import measure  # imported ahead, while the child process answers

    return measure(task, holdout.actual, scores.finite)


def _loaded(scores: Scores) -> Check:
    return _check("load", True, "a model that answers", f"{len(scores.predictions)} answers from a child process")


def _not_loaded(refused: Refused) -> Check:
    verdict = Verdict.INCONCLUSIVE if isinstance(refused, Undecided) else Verdict.FAIL
    return Check(name="load", verdict=verdict, expected="a model that answers", found=str(refused))


def _finite(scores: Scores) -> Check:
    rows = len(scores.predictions)
    bad = rows - len(scores.finite)
    first = f"; {scores.failure}" if scores.failure else ""
    return _check("finite", bad == 0, "only finite answers", f"{bad} NaN, infinite or none of {rows}{first}")


def _latency(rounds: Sequence[Round], config: ModelConfig) -> list[Check]:
    """No check for a library that does not serve by itself: `package` asks the form that will."""
    return [judge_latency(rounds, config.gates.latency_p99_ms)] if rounds else []


def _thresholds(metrics: dict[str, float], config: ModelConfig) -> list[Check]:
    return [_threshold(name, bounds, metrics.get(name)) for name, bounds in config.gates.thresholds.items()]


def _threshold(name: str, bounds: Threshold, value: float | None) -> Check:
    low, high = bounds.min, bounds.max
    expected = " and ".join(
        text for text in (low is not None and f"≥ {low:g}", high is not None and f"≤ {high:g}") if text
    )
    if value is None:
        return Check(name=name, verdict=Verdict.INCONCLUSIVE, expected=expected, found="not measured")
    passed = (low is None or value >= low) and (high is None or value <= high)
    return _check(name, passed, expected, f"{value:.6g}")

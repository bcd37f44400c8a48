"""validate: the candidate alone, on the hold-out that a commit has pinned."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.deployment import Deployment
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.record import write_atomically
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict, overall
from services.delivery.gates.answers import finite, loaded, stopped_check
from services.delivery.gates.budgets import budget_checks
from services.delivery.gates.checks import switched
from services.delivery.gates.custody import custody_checks
from services.delivery.gates.data_gates import DataGates
from services.delivery.gates.decisions import count_decision
from services.delivery.gates.holdout import column_check
from services.delivery.gates.latency import figures
from services.delivery.gates.quality import quality_checks
from services.delivery.gates.robustness import robustness
from services.delivery.gates.stability import stability_check
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.packaging.chosen_form import FormJudge, Written
from services.delivery.packaging.live_release import live_rounds, nothing_live
from services.delivery.packaging.servable import Choice, ask_service
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.report import validation_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import Examined, HoldoutRequest, Scorer
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
    scorer = Scorer.of(settings, config)
    validation = validated(scorer, found, _form_judge(settings, scorer, found))
    validation = count_decision(settings, config.gates, found, validation)
    for check in validation.checks:
        off = f" (switched off: {check.off})" if check.off else ""
        say(f"{check.verdict.upper():12} {check.name}: expected {check.expected}; found {check.found}{off}")
    for warning in validation.warnings:
        say(f"{'WARNING':12} {warning}")
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


def _form_judge(settings: Settings, scorer: Scorer, candidate: Candidate) -> FormJudge:
    """Its service is what production runs; the live release is looked for only when a row takes too long."""
    ask = ask_service(settings.environments, scorer.limits, containers=settings.registry_url is not None)
    find_live = partial(_live, settings.rollout_url, scorer.config.name)
    return FormJudge(scorer, candidate, ask, live_rounds(scorer.store, scorer.config, ask, find_live))


def _live(rollout_url: str, model: str) -> Deployment | None:
    from services.delivery.clients.rollout_client import PATIENCE, Rollout  # seldom needed, and slow to import

    return Rollout(rollout_url, PATIENCE).state(model).live


def validated(scorer: Scorer, candidate: Candidate, judge: FormJudge | None = None) -> Validation:
    """`judge` decides the form that will answer; by itself it knows of no live release."""
    config = scorer.config
    folder = scorer.store.model(candidate.digest)
    checks = custody_checks(candidate, folder, config)
    metrics: dict[str, float] = {}
    latency: dict[str, float] = {}
    warnings: tuple[str, ...] = ()
    if checks[0].verdict is Verdict.PASS:
        checks.append(column_check(scorer.store.holdout(candidate.run.holdout.sha256), config))
    if all(check.verdict is Verdict.PASS for check in checks):
        holdout = scorer.holdout(candidate.run.holdout.sha256)
        of_data = DataGates.begun(scorer, candidate, holdout)
        request = HoldoutRequest(candidate.library, folder, candidate.digest, candidate.run.holdout.sha256)
        examined = scorer.examine(request, holdout)
        checks += [*examined_checks(examined, folder, config), *of_data.checks(examined.scores)]
        if scores := examined.scores:
            with _in_background(judge or _alone(scorer, candidate), holdout, examined) as formed:
                metrics = measured(config.task, scores, holdout)
                checks += quality_checks(config, holdout, scores.finite)
                warnings = of_data.warnings(scores)
            if formed:
                of_form, choice = formed.result()
                checks, latency = checks + of_form, figures(choice.rounds)
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
        warnings=warnings,
    )


def _alone(scorer: Scorer, candidate: Candidate) -> FormJudge:
    return FormJudge(scorer, candidate, ask_service(scorer.environments, scorer.limits), nothing_live)


@contextmanager
def _in_background(
    judge: FormJudge, holdout: Holdout, examined: Examined
) -> Iterator[Future[tuple[list[Check], Choice]] | None]:
    """The service is started and asked in a process, which is waited for while the metrics are measured; a model that
    has no answers or no forms is not asked."""
    with ThreadPoolExecutor(1, "form") as threads:
        if (scores := examined.scores) and len(scores.finite) == len(holdout.rows) and examined.forms:
            yield threads.submit(judge.judge, holdout, Written(scores, examined.forms, examined.graph))
        else:
            yield None


def examined_checks(examined: Examined, folder: Path, config: ModelConfig) -> list[Check]:
    """Of what the limited child found out, up to where it stopped; `folder` is the model's."""
    checks = [loaded(examined.footprint)] if examined.scores or examined.stopped_after_loading else []
    checks += [finite(examined.scores)] if examined.scores else []
    checks += [robustness(examined.edges)] if examined.edges else []
    checks += [stability_check(examined.stability, examined.forms)] if examined.stability else []
    checks += [stopped_check(examined.stopped)] if examined.stopped else []
    return [*checks, *budget_checks(folder, examined.footprint, config.gates.budgets)]


def measured(task: Task, scores: Scores, holdout: Holdout) -> dict[str, float]:
    if len(scores.finite) < len(holdout.rows):
        return {}
    from services.contract.metrics import measure  # imported ahead, while the child process answers

    return measure(task, holdout.actual, scores.finite)

"""The candidate alone, on the hold-out that a commit has pinned: asked once, judged by every gate of validate."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.contract.candidate import Candidate
from services.contract.model_config import ModelConfig
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict, overall
from services.delivery.gates.answers import finite, loaded, stopped_check
from services.delivery.gates.budgets import budget_checks
from services.delivery.gates.checks import switched
from services.delivery.gates.custody import custody_checks
from services.delivery.gates.data_gates import DataGates
from services.delivery.gates.holdout import column_check
from services.delivery.gates.latency import figures
from services.delivery.gates.robustness import robustness
from services.delivery.gates.stability import stability_check
from services.delivery.packaging.chosen_form import FormJudge, Written
from services.delivery.packaging.live_release import nothing_live
from services.delivery.packaging.servable import Choice, ask_service
from services.delivery.reports.evidence import Evidence
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import Examined, HoldoutRequest, Scorer


@dataclass(frozen=True)
class Validated:
    """The verdict, and what the model answered, for the report; None where it was not asked."""

    validation: Validation
    evidence: Evidence | None


@dataclass(frozen=True)
class _Found:
    checks: Sequence[Check]
    metrics: Mapping[str, float] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    evidence: Evidence | None = None


def validated(scorer: Scorer, candidate: Candidate, judge: FormJudge | None = None) -> Validation:
    return validate_answers(scorer, candidate, judge).validation


def validate_answers(scorer: Scorer, candidate: Candidate, judge: FormJudge | None = None) -> Validated:
    """`judge` decides the form that will answer; by itself it knows of no live release."""
    checks = _before_it_is_asked(scorer, candidate)
    if all(check.verdict is Verdict.PASS for check in checks):
        found = _asked(scorer, candidate, judge or _alone(scorer, candidate))
    else:
        found = _Found(())
    counted = switched([*checks, *found.checks], scorer.config.gates)
    validation = Validation(
        model=scorer.config.name,
        revision=candidate.promotion.label,
        candidate=candidate.digest,
        holdout=candidate.run.holdout,
        verdict=overall(counted),
        checks=counted,
        metrics=dict(found.metrics),
        latency_ms=dict(found.latency_ms),
        warnings=found.warnings,
    )
    return Validated(validation, found.evidence)


def _before_it_is_asked(scorer: Scorer, candidate: Candidate) -> list[Check]:
    custody = custody_checks(candidate, scorer.store.model(candidate.digest), scorer.config)
    if custody[0].verdict is not Verdict.PASS:
        return custody
    return [*custody, column_check(scorer.store.holdout(candidate.run.holdout.sha256), scorer.config)]


def _asked(scorer: Scorer, candidate: Candidate, judge: FormJudge) -> _Found:
    config, folder = scorer.config, scorer.store.model(candidate.digest)
    holdout = scorer.holdout(candidate.run.holdout.sha256)
    of_data = DataGates.begun(scorer, candidate, holdout)
    request = HoldoutRequest(candidate.library, folder, candidate.digest, candidate.run.holdout.sha256)
    examined = scorer.examine(request, holdout)
    checks = [*examined_checks(examined, folder, config), *of_data.checks(examined.scores)]
    if (scores := examined.scores) is None:
        return _Found(checks)
    with _in_background(judge, holdout, examined) as formed:
        from services.delivery.gates.quality import quality_checks  # imported ahead, as `measured` is

        metrics = measured(config.task, scores, holdout)
        checks += quality_checks(config, holdout, scores.finite)
        warnings = of_data.warnings(scores)
    of_form, choice = formed.result() if formed else ([], None)
    latency = figures(choice.rounds) if choice else {}
    evidence = Evidence.of(config, holdout, scores.finite)
    return _Found([*checks, *of_form], metrics, latency, warnings, evidence)


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
    """Nothing where a row has no answer."""
    if len(scores.finite) < len(holdout.rows):
        return {}
    from services.contract.metrics import measure  # imported ahead, while the child process answers

    return measure(task, holdout.actual, scores.finite)

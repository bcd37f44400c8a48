"""status: for each model what answers, what became of its promotions and what its pipelines did last."""

import sys
from collections.abc import Callable, Set
from contextlib import suppress
from datetime import datetime
from typing import Annotated, TypeVar

import typer

from services.contract import names
from services.contract.control_protocol import Workers
from services.contract.deployment import ModelState, Retirement
from services.contract.errors import Refused, Unavailable
from services.contract.model_config import list_models
from services.contract.outcome import Fate, Outcome
from services.contract.receipt import Receipt
from services.contract.record import ModelName, Record, Sha256
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import emit
from services.delivery.promotions.gate_words import with_words
from services.delivery.promotions.outcomes import Ledger, outcomes, read_ledger
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.takeover.words import step_words
from services.gocd.client import GoCD, Json, Unknown

Found = TypeVar("Found")
Receipts = Callable[[str], list[Receipt]]
MOST_PROMOTIONS = 5
_INSTANCES = 10
_TIME = "%Y-%m-%d %H:%M:%S UTC"


class StageState(Record):
    """`result` is GoCD's, or in words what the stage waits for."""

    name: str
    result: str


class PipelineState(Record):
    """The newest instance of a pipeline."""

    name: str
    counter: int
    label: str
    stages: tuple[StageState, ...]


class BatchState(Record):
    """The newest batch that a release of the model has scored, as its receipt has it."""

    engine: str
    release: Sha256
    at: datetime
    rows_in: int
    rows_scored: int
    rows_rejected: int
    shift: float | None


class ModelStatus(Record):
    """`rollout` is None when nothing could be learnt of it. `promotions` are the newest ones, back to the last one that
    was delivered; `batch` is None when the store has no receipt of a release that answered; `problems` are what kept
    this model's part from being told."""

    model: ModelName
    rollout: ModelState | None
    promotions: tuple[Outcome, ...]
    pipelines: tuple[PipelineState, ...]
    batch: BatchState | None = None
    problems: tuple[str, ...] = ()

    @property
    def down(self) -> bool:
        return bool(self.rollout and self.rollout.live and not self.rollout.answering)


class Status(Record):
    """`problems` are services that could not be asked."""

    models: tuple[ModelStatus, ...]
    problems: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return not self.problems and not any(model.down or not model.rollout for model in self.models)


def status(
    text: Annotated[bool, typer.Option("--text", help="Print lines for a person in place of JSON.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when what is live does not answer.")] = False,
) -> None:
    """Show what answers for each model, what became of its promotions and what its pipelines did last; prints JSON.

    With --check it exits 1 when a model that is live does not answer, or when GoCD or the rollout service cannot be
    asked. Example: trackback status --text
    """
    settings = Settings()
    with GoCD(settings.gocd_url, settings.gocd_access_token) as gocd:
        rollout, models = Rollout(settings.rollout_url), list_models(settings.models)
        found = read_status(gocd, rollout, models, Store(settings.store).receipts)
    if text:
        sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    else:
        emit(found)
    if check and not found.well:
        raise typer.Exit(1)


def read_status(gocd: GoCD, rollout: Rollout, models: list[str], receipts: Receipts = lambda _: []) -> Status:
    """`receipts` are those of a release."""
    services = _Services(gocd, rollout, receipts)
    return Status(models=tuple(services.model(name) for name in models), problems=tuple(services.problems))


class _Services:
    """A service that cannot be asked is asked once, and what it did not tell is left out."""

    def __init__(self, gocd: GoCD, rollout: Rollout, receipts: Receipts) -> None:
        self._gocd, self._rollout, self._receipts = gocd, rollout, receipts
        self._away: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        return list(self._away.values())

    def model(self, model: str) -> ModelStatus:
        problems: list[str] = []
        state = self._ask("rollout", lambda: self._rollout.state(model), problems)
        deployments = self._ask("rollout", lambda: self._rollout.deployments(model), problems)
        answered = frozenset(one.revision for one in deployments or ())
        ledger = self._ask("gocd", lambda: read_ledger(self._gocd, model, answered, _INSTANCES), problems)
        promotions = self._ask("gocd", lambda: self._promotions(ledger), problems) if ledger else None
        if ledger and ledger.online is None:
            problems.append(f"GoCD has no pipeline '{model}-online': what is built is not deployed")
        batch = self._ask("gocd", lambda: self._images(model), problems) if ledger else None
        newest = (ledger.built, ledger.online, batch) if ledger else ()
        return ModelStatus(
            model=model,
            rollout=state,
            promotions=tuple(promotions or ()),
            pipelines=tuple(_newest(one[0]) for one in newest if one),
            batch=self._ask("store", lambda: self._newest_batch({one.release for one in deployments or ()}), problems),
            problems=tuple(problems),
        )

    def _newest_batch(self, releases: Set[str]) -> BatchState | None:
        found = [one for release in releases for one in self._receipts(release)[:1]]
        if not found:
            return None
        newest = max(found, key=lambda one: one.at)
        return BatchState.model_validate({name: getattr(newest, name) for name in BatchState.model_fields})

    def _images(self, model: str) -> list[Json]:
        """Nothing for a model that has no such pipeline: model.yaml can switch its images off."""
        with suppress(Unknown):
            return self._gocd.history(f"{model}{names.BATCH}")
        return []

    def _promotions(self, ledger: Ledger) -> list[Outcome]:
        found = outcomes(ledger)
        delivered = (place for place, one in enumerate(found) if one.fate is Fate.DELIVERED)
        shown = found[: min(next(delivered, len(found)) + 1, MOST_PROMOTIONS)]
        return [with_words(self._gocd, one) if one.fate is Fate.REFUSED else one for one in shown]

    def _ask(self, service: str, question: Callable[[], Found], problems: list[str]) -> Found | None:
        if service in self._away:
            return None
        try:
            return question()
        except Unavailable as away:
            self._away[service] = str(away)
        except Refused as refused:
            problems.append(str(refused))
        return None


def _newest(instance: Json) -> PipelineState:
    before = [None, *instance["stages"]]
    stages = tuple(
        StageState(name=stage["name"], result=_result(stage, previous))
        for stage, previous in zip(instance["stages"], before, strict=False)
    )
    return PipelineState(name=instance["name"], counter=instance["counter"], label=instance["label"], stages=stages)


def _result(stage: Json, previous: Json | None) -> str:
    if stage["status"] == "Unknown":
        # What follows a passed stage by itself is scheduled with its end, or cannot run yet.
        approval = previous and previous["status"] == "Passed" and stage.get("can_run")
        return "awaits approval" if approval else "not run"
    waits = stage["status"] == "Building" and all(job.get("state") == "Scheduled" for job in stage["jobs"])
    return "waits for an agent" if waits else str(stage["status"])


def lines(status: Status) -> list[str]:
    """For a person."""
    return [*status.problems, *(line for model in status.models for line in _lines(model))]


def _lines(status: ModelStatus) -> list[str]:
    found = [f"{status.model}: {_answer(status.rollout)}"]
    if status.rollout and status.rollout.step:
        found.append(f"  {step_words(status.rollout.step)}")
    for pipeline in status.pipelines:
        stages = " → ".join(f"{stage.name} {stage.result}" for stage in pipeline.stages)
        found.append(f"  {pipeline.name} {pipeline.counter}: {stages}")
    if batch := status.batch:
        found.append(f"  batch of {batch.at:{_TIME}} by {batch.engine}: {_rows(batch)} (release {batch.release[:12]})")
    for promotion in status.promotions:
        found.append(f"  promotion {promotion.revision} by {promotion.promoted_by}: {promotion.told}")
    return [*found, *(f"  {problem}" for problem in status.problems)]


def _rows(batch: BatchState) -> str:
    moved = "" if batch.shift is None else f", stability index {batch.shift:.3f}"
    return f"{batch.rows_scored:,} of {batch.rows_in:,} rows scored, {batch.rows_rejected:,} rejected{moved}"


def _retired(since: Retirement) -> str:
    return f"retired since {since.at:{_TIME}} by {since.by}: {since.reason}"


def _answer(rollout: ModelState | None) -> str:
    if rollout is None:
        return "nobody knows what answers"
    if (live := rollout.live) is None:
        return _retired(rollout.retired) if rollout.retired else "nothing answers"
    if rollout.answering:
        crashes = f", but has just been started again {_times(rollout.tries)}" if rollout.tries else ""
        return f"{live.revision} since {live.at:{_TIME}} at {rollout.url} answers{crashes}{_workers(rollout.workers)}"
    since = f" since {rollout.down_since:{_TIME}}" if rollout.down_since else ""
    said = f"{live.revision} is live but does not answer{since}: {rollout.reason or 'it has just ended'}"
    tried = f", started again {_times(rollout.tries)}" if rollout.tries else ""
    return f"{said}{tried}{_next_try(rollout.next_try)}{_workers(rollout.workers)}"


def _workers(workers: Workers | None) -> str:
    """Only where one has ended: that all are well is no news."""
    if workers is None or not workers.ended:
        return ""
    ready = f"{workers.ready} of {workers.wanted} worker{'' if workers.wanted == 1 else 's'} answer"
    replaced = f"replaced {_times(workers.ended)}, last {workers.reason}"
    return f" ({ready}; {replaced}{_next_try(workers.next_try)})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _next_try(at: datetime | None) -> str:
    return f", next try {at:{_TIME}}" if at else ""

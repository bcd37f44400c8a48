"""The page for people: of each model what was promoted, how far it came, and links to its reports.

`page.html.j2` is the template; this module makes the records that it shows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.contract.promotion import TagValue
from services.embedded.agent.artifacts import CONSOLE_LOG
from services.embedded.agent.job_assignment import JobIdentifier
from services.embedded.api.pipeline_shape import stage_status
from services.embedded.clock import from_milliseconds
from services.embedded.differences import BEHAVIOUR
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import PipelineConfig
from services.embedded.polling.expected_failures import (
    NOTHING_PREVIEWED,
    NOTHING_PROMOTED,
    explanation,
    is_expected,
)
from services.embedded.records.history import UNKNOWN, Cause, Instance, StageRun
from services.embedded.records.modifications import Modification

TEMPLATE = "page.html.j2"
REFRESH_SECONDS = 3
SHOWN = 10
# What gives this server an agent with that resource.
_OFFERS = {"image": "scripts/setup image, then start anew"}


@dataclass(frozen=True)
class File:
    title: str
    url: str


@dataclass(frozen=True)
class Stage:
    """`status` is GoCD's and a class of the style sheet, `words` is its text."""

    name: str
    status: str
    words: str
    files: tuple[File, ...]


@dataclass(frozen=True)
class InstanceCell:
    anchor: str
    map_url: str
    label: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Promotion:
    """`url` is the run in MLflow, None when it is no web address."""

    url: str | None
    revision: str
    comment: str
    who_and_when: str


@dataclass(frozen=True)
class Row:
    """The first cell has an instance of the model's pipeline, the others have the instances that were built from it."""

    promotions: tuple[Promotion, ...]
    cells: tuple[tuple[InstanceCell, ...], ...]


@dataclass(frozen=True)
class Model:
    """`pipelines` are the titles of the cells; `why_empty` is shown when there is no row."""

    name: str
    pipelines: tuple[str, ...]
    rows: tuple[Row, ...]
    why_empty: str


def render_page(engine: CiEngine) -> str:
    return _template().render(
        refresh_seconds=REFRESH_SECONDS,
        problems=[it for it in engine.health.messages() if not is_expected(it.detail)],
        models=list(_models(engine)),
        mlflow_url=web_url(engine.site.mlflow_ui_url),
        differences=BEHAVIOUR,
    )


@cache
def _template() -> Template:
    # Runs, labels, comments and messages come from outside: autoescape keeps all of them from becoming markup.
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(TEMPLATE)


def web_url(url: object) -> str | None:
    """None unless it is an address of the web: a run's URL comes from outside, and could be `javascript:`."""
    return url if isinstance(url, str) and urlsplit(url).scheme in ("http", "https") else None


def _models(engine: CiEngine) -> Iterator[Model]:
    """One for each pipeline with a package material."""
    configs = engine.pipelines.pipelines
    for name, pipeline in configs.items():
        if any(material.package for material in pipeline.materials.values()):
            downstream = tuple(other for other, config in configs.items() if _follows(config, name))
            rows = tuple(_row(engine, instance, downstream) for instance in engine.history.instances(name, SHOWN))
            yield Model(name, (name, *downstream), rows, _why_empty(engine, pipeline))


def _follows(other: PipelineConfig, name: str) -> bool:
    return any(material.pipeline == name for material in other.materials.values())


def _why_empty(engine: CiEngine, pipeline: PipelineConfig) -> str:
    """Whether nobody trained the model yet, or nobody promoted a run of it."""
    packages = [engine.catalog.package(it.package or "") for it in pipeline.materials.values()]
    problems = [problem for it in packages if it for problem in engine.health.messages(it.fingerprint)]
    previews = any(prop.key == "TAG" and prop.value == "preview" for it in packages if it for prop in it.properties)
    explained = (words for it in problems if (words := explanation(it.detail)))
    return NOTHING_PREVIEWED if previews else next(explained, NOTHING_PROMOTED)


def _row(engine: CiEngine, instance: Instance, downstream: tuple[str, ...]) -> Row:
    built = [engine.history.built_from(name, instance.pipeline, instance.counter) for name in downstream]
    cells = tuple(tuple(_instance(engine, it) for it in cell) for cell in [[instance], *built])
    return Row(tuple(_promotions(engine, instance)), cells)


def _promotions(engine: CiEngine, instance: Instance) -> Iterator[Promotion]:
    runs = [run for name in engine.stage_names(instance.pipeline) for run in engine.stages.runs(instance, name)]
    seen = min((run.scheduled_at for run in runs), default=None)
    for cause in engine.history.causes(instance):
        yield _promotion(cause, seen)


def _promotion(cause: Cause, seen: int | None) -> Promotion:
    """`seen` is when the first stage was scheduled, in milliseconds since 1970."""
    newest = cause.modifications[0]
    comment = json.loads(newest.comment) if newest.comment.startswith("{") else {}
    return Promotion(
        url=web_url(comment.get("TRACKBACK_URL")),
        revision=newest.revision,
        comment=str(comment.get("COMMENT") or ""),
        who_and_when=_who_and_when(newest, seen),
    )


def _who_and_when(newest: Modification, seen: int | None) -> str:
    """MLflow knows neither of a tag that was set by hand, so the time is that at which this server saw it."""
    value = newest.data.get("PROMOTION")
    if promoted := TagValue.parse(value or ""):
        return f"promoted by {promoted.who}, {promoted.at:%Y-%m-%d %H:%M} UTC"
    if value is not None and seen is not None:
        return f"promoted by hand in MLflow, seen {from_milliseconds(seen):%Y-%m-%d %H:%M} UTC"
    return f"{newest.user}, {from_milliseconds(newest.modified_at):%Y-%m-%d %H:%M} UTC"


def _instance(engine: CiEngine, instance: Instance) -> InstanceCell:
    return InstanceCell(
        anchor=f"{instance.pipeline}-{instance.counter}",
        map_url=f"/go/pipelines/value_stream_map/{quote(instance.pipeline)}/{instance.counter}.json",
        label=instance.label,
        stages=tuple(_stage(engine, instance, name) for name in engine.stage_names(instance.pipeline)),
    )


def _stage(engine: CiEngine, instance: Instance, name: str) -> Stage:
    stage = engine.stages.latest(instance, name)
    status = stage_status(stage)
    words = _waiting(engine, instance, name) or ("not run" if status == UNKNOWN else status.lower())
    return Stage(name, status, words, tuple(_files(engine, instance, stage)) if stage else ())


def _waiting(engine: CiEngine, instance: Instance, name: str) -> str | None:
    """What a person can do about a stage that goes on by itself no more; None of any other."""
    config, stage = (
        engine.pipelines.pipelines[instance.pipeline].stage_configs[name],
        engine.stages.latest(instance, name),
    )
    if stage and stage.active:
        missing = sorted({job.agent for job in config.jobs.values() if not engine.agent.offers(job)})
        return f"waits for an agent with the resource {missing[0]}: {_OFFERS[missing[0]]}" if missing else None
    if config.manual and not stage and engine.scheduler.refusal(instance, name) is None:
        return f"awaiting approval: POST /go/api/stages/{instance.pipeline}/{instance.counter}/{name}/run starts it"
    return None


def _files(engine: CiEngine, instance: Instance, stage: StageRun) -> Iterator[File]:
    """Console and tabs of each job, as far as the files are there."""
    for run in engine.stages.jobs(stage):
        job = JobIdentifier(instance.pipeline, instance.counter, stage.name, stage.counter, run.name)
        config = engine.pipelines.job(instance.pipeline, stage.name, run.name)
        wanted = {"console": CONSOLE_LOG} | (config.tabs if config else {})
        for title, path in wanted.items():
            if engine.artifacts.find(job, path):
                yield File(title, f"/go/files/{quote(job.locator)}/{quote(path)}")

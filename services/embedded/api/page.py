"""The one page for people: per model what was promoted, how far it came, and where to look."""

import json
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, urlsplit

from services.contract.promotion import TagValue
from services.embedded.agent.artifacts import CONSOLE_LOG
from services.embedded.agent.job_assignment import JobIdentifier
from services.embedded.api.pipeline_shape import stage_status
from services.embedded.clock import from_milliseconds
from services.embedded.differences import BEHAVIOUR
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import PipelineConfig
from services.embedded.polling.expected_failures import NOTHING_PROMOTED, explanation, is_expected
from services.embedded.polling.health import HealthMessage
from services.embedded.records.history import UNKNOWN, Cause, Instance, StageRun
from services.embedded.records.modifications import Modification

REFRESH_SECONDS = 3
SHOWN = 10
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1d2430 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .4rem .7rem; vertical-align: top }
tr { border-bottom: 1px solid #dde2ea } small { color: #5b6675 }
.problem { border-left: 4px solid #b3261e; padding: 0 1rem }
.Passed { color: #17693a } .Failed, .Cancelled { color: #b3261e }
.Building { color: #0b57b0 } .Unknown { color: #5b6675 }
pre { white-space: pre-wrap }
"""


def render_page(engine: CiEngine) -> str:
    body = "".join([*_problems(engine), *_models(engine), _footer(engine)])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}"><title>Trackback</title><style>{_STYLE}</style></head>'
        f"<body><h1>Trackback</h1>{body}</body></html>"
    )


def _problems(engine: CiEngine) -> Iterator[str]:
    for problem in engine.health.messages():
        if not is_expected(problem.detail):
            yield _problem(problem)


def _problem(problem: HealthMessage) -> str:
    return (
        f'<section class="problem"><pre><strong>{escape(problem.message)}</strong>\n{escape(problem.detail)}</pre>'
        f"<small>{escape(problem.time)}</small></section>"
    )


def _models(engine: CiEngine) -> Iterator[str]:
    configs = engine.pipelines.pipelines
    for name, pipeline in configs.items():
        if any(material.package for material in pipeline.materials.values()):
            online = [other for other, config in configs.items() if _follows(config, name)]
            yield f"<h2>{escape(name)}</h2>{_stream(engine, name, online)}"


def _stream(engine: CiEngine, name: str, online: list[str]) -> str:
    instances = engine.history.instances(name, SHOWN)
    if not instances:
        return f"<p>{escape(_nothing_yet(engine, name))}</p>"
    head = "".join(f"<th>{escape(title)}</th>" for title in ["run", name, *online])
    rows = "".join(_row(engine, instance, online) for instance in instances)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _nothing_yet(engine: CiEngine, name: str) -> str:
    """Why a model has no row: nobody trained it, or nobody promoted a run of it."""
    packages = [engine.catalog.package(it.package or "") for it in engine.pipelines.pipelines[name].materials.values()]
    problems = [problem for it in packages if it for problem in engine.health.messages(it.fingerprint)]
    return next((words for it in problems if (words := explanation(it.detail))), NOTHING_PROMOTED)


def _follows(other: PipelineConfig, name: str) -> bool:
    return any(material.pipeline == name for material in other.materials.values())


def _row(engine: CiEngine, instance: Instance, online: list[str]) -> str:
    cells = [_run(engine, instance), _instance(engine, instance)]
    for other in online:
        built = engine.history.built_from(other, instance.pipeline, instance.counter)
        cells.append("".join(_instance(engine, it) for it in built))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _run(engine: CiEngine, instance: Instance) -> str:
    runs = [run for name in engine.stage_names(instance.pipeline) for run in engine.stages.runs(instance, name)]
    seen = min((run.scheduled_at for run in runs), default=None)
    return "".join(_promotion(cause, seen) for cause in engine.history.causes(instance))


def _promotion(cause: Cause, seen: int | None) -> str:
    newest = cause.modifications[0]
    comment = json.loads(newest.comment) if newest.comment.startswith("{") else {}
    return (
        f"{web_link(comment.get('TRACKBACK_URL'), newest.revision)}<br>{escape(str(comment.get('COMMENT') or ''))}"
        f"<br><small>{escape(_who_and_when(newest, seen))}</small>"
    )


def _who_and_when(newest: Modification, seen: int | None) -> str:
    """Of a tag that was set by hand MLflow knows neither, and what GoCD is told is the end of the run."""
    value = newest.data.get("PROMOTION")
    if promoted := TagValue.parse(value or ""):
        return f"promoted by {promoted.who}, {promoted.at:%Y-%m-%d %H:%M} UTC"
    if value is not None and seen is not None:
        return f"promoted by hand in MLflow, seen {from_milliseconds(seen):%Y-%m-%d %H:%M} UTC"
    return f"{newest.user}, {from_milliseconds(newest.modified_at):%Y-%m-%d %H:%M} UTC"


def web_link(url: object, text: str) -> str:
    """Only the text, unless the URL is one of the web: a run's URL comes from outside."""
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        return escape(text)
    return f'<a href="{escape(url)}" rel="noreferrer">{escape(text)}</a>'


def _instance(engine: CiEngine, instance: Instance) -> str:
    map_url = f"/go/pipelines/value_stream_map/{quote(instance.pipeline)}/{instance.counter}.json"
    lines = [f'<a href="{map_url}">{escape(instance.label)}</a>']
    for name in engine.stage_names(instance.pipeline):
        stage = engine.stages.latest(instance, name)
        status = stage_status(stage)
        links = _links(engine, instance, stage) if stage else ""
        words = "not run" if status == UNKNOWN else status.lower()
        lines.append(f'<span class="{escape(status)}">{escape(name)} {escape(words)}</span>{links}')
    return f'<div id="{escape(instance.pipeline)}-{instance.counter}">{"<br>".join(lines)}</div>'


def _links(engine: CiEngine, instance: Instance, stage: StageRun) -> str:
    found: list[str] = []
    for job in engine.stages.jobs(stage):
        job_identifier = JobIdentifier(instance.pipeline, instance.counter, stage.name, stage.counter, job.name)
        config = engine.pipelines.job(instance.pipeline, stage.name, job.name)
        wanted = {"console": CONSOLE_LOG} | (config.tabs if config else {})
        found += [
            f' <a href="/go/files/{quote(job_identifier.locator)}/{quote(path)}">{escape(title)}</a>'
            for title, path in wanted.items()
            if engine.artifacts.find(job_identifier, path)
        ]
    return "".join(found)


def _footer(engine: CiEngine) -> str:
    differences = "".join(f"<li>{escape(text)}</li>" for text in BEHAVIOUR)
    mlflow = web_link(engine.site.mlflow_ui_url, "MLflow") if engine.site.mlflow_ui_url else ""
    return (
        f"<p>{mlflow}</p><details><summary>Where this server differs from GoCD</summary>"
        f"<ul>{differences}</ul></details>"
    )

"""status: for each model, what answers and what its pipelines did last."""

import sys
from typing import Annotated

import typer

from services.contract.deployment import ModelState
from services.contract.model_config import list_models
from services.contract.record import ModelName, Record
from services.delivery.output import emit
from services.delivery.rollout_client import Rollout
from services.delivery.settings import Settings
from services.gocd.client import GoCD, Json


class StageState(Record):
    name: str
    result: str


class PipelineState(Record):
    """The newest instance of a pipeline."""

    name: str
    counter: int
    label: str
    stages: tuple[StageState, ...]


class ModelStatus(Record):
    model: ModelName
    rollout: ModelState
    pipelines: tuple[PipelineState, ...]


class Status(Record):
    models: tuple[ModelStatus, ...]


def status(
    text: Annotated[bool, typer.Option("--text", help="Print lines for a person in place of JSON.")] = False,
) -> None:
    """Show what answers for each model and the newest instance of its pipelines; prints JSON.

    Example: trackback status --text
    """
    settings = Settings()
    with GoCD(settings.trackback_gocd_url, settings.gocd_token) as gocd:
        rollout = Rollout(settings.trackback_rollout_url)
        found = Status(
            models=tuple(
                ModelStatus(model=model, rollout=rollout.state(model), pipelines=tuple(_pipelines(gocd, model)))
                for model in list_models(settings.trackback_models)
            )
        )
    if text:
        sys.stdout.write("".join(_lines(one) for one in found.models))
    else:
        emit(found)


def _pipelines(gocd: GoCD, model: str) -> list[PipelineState]:
    return [_newest(history[0]) for name in (model, f"{model}-online") if (history := gocd.history(name))]


def _newest(instance: Json) -> PipelineState:
    stages = tuple(
        StageState(name=stage["name"], result="not run" if stage["status"] == "Unknown" else stage["status"])
        for stage in instance["stages"]
    )
    return PipelineState(name=instance["name"], counter=instance["counter"], label=instance["label"], stages=stages)


def _lines(status: ModelStatus) -> str:
    live = status.rollout.live
    answer = f"{live.revision} since {live.at:%Y-%m-%d %H:%M:%S} UTC at {status.rollout.url}" if live else "nothing"
    lines = [f"{status.model}: {answer} answers"]
    for pipeline in status.pipelines:
        stages = " → ".join(f"{stage.name} {stage.result}" for stage in pipeline.stages)
        lines.append(f"  {pipeline.name} {pipeline.counter}: {stages}")
    return "\n".join(lines) + "\n"

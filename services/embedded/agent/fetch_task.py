"""A fetch task: copies an artifact of an earlier job into the workspace."""

from pathlib import Path

from services.embedded.agent.artifacts import ArtifactMissing, Artifacts
from services.embedded.agent.console import ERR, OUT, Console
from services.embedded.agent.job_assignment import JobAssignment, JobIdentifier
from services.embedded.pipelines.pipeline_config import Fetch
from services.embedded.records.history import Cause, History, Instance
from services.embedded.records.stage_history import StageHistory
from services.embedded.scheduling.causes import PIPELINE

LATEST = "latest"


def describe_fetch(task: Fetch, pipeline: str) -> str:
    return (
        f"fetch artifact [{task.source}] => [{task.destination}]"
        f" from [{task.pipeline or pipeline}/{task.stage}/{task.job}]"
    )


class Fetcher:
    def __init__(self, artifacts: Artifacts, history: History, stages: StageHistory) -> None:
        self._artifacts = artifacts
        self._history = history
        self._stages = stages

    def run(self, task: Fetch, assignment: JobAssignment, workspace: Path, console: Console) -> bool:
        """False when there is no such artifact; the console then says which."""
        try:
            instance, counter = self._source(task, assignment)
            shown = f"{instance.pipeline}/{instance.label}/{task.stage}/{counter or LATEST}/{task.job}"
            console.go(OUT, f"Fetching artifact [{task.source}] from [{shown}]")
            job = self._job(task, instance, counter)
            for saved in self._artifacts.fetch(job, task.source, task.is_file, workspace / task.destination):
                console.go(OUT, f"Saved artifact to [{saved}] after verifying the integrity of its contents.")
        except (ArtifactMissing, OSError) as error:
            console.go(ERR, f"Failed to save artifact [{task.source}] to [{task.destination}]")
            console.line(ERR, str(error))
            return False
        return True

    def _source(self, task: Fetch, assignment: JobAssignment) -> tuple[Instance, int | None]:
        """The instance to fetch from, and the stage's counter if the build cause names it. Raises ArtifactMissing."""
        if task.pipeline in (None, assignment.instance.pipeline):
            return assignment.instance, None
        for cause in assignment.causes:
            pipeline, counter, stage, stage_counter = _locator(cause)
            if pipeline == task.pipeline and (instance := self._history.instance(pipeline, counter)):
                return instance, stage_counter if stage == task.stage else None
        raise ArtifactMissing(f"pipeline '{task.pipeline}' is not what {assignment.identifier.locator} was built from")

    def _job(self, task: Fetch, instance: Instance, counter: int | None) -> JobIdentifier:
        latest = self._stages.latest(instance, task.stage)
        if not latest:
            raise ArtifactMissing(f"stage '{task.stage}' of {instance.pipeline}/{instance.counter} has not run")
        return JobIdentifier(instance.pipeline, instance.counter, task.stage, counter or latest.counter, task.job)


def _locator(cause: Cause) -> tuple[str, int, str, int]:
    """Pipeline, counter, stage and stage counter of a pipeline material; empty for a package, which has none."""
    if cause.type != PIPELINE:
        return "", 0, "", 0
    pipeline, counter, stage, stage_counter = cause.modifications[0].revision.split("/")
    return pipeline, int(counter), stage, int(stage_counter)

"""What an agent gets to run one job, and GoCD's name of it."""

from dataclasses import dataclass

from services.embedded.pipelines.pipeline_config import JobConfig, PipelineConfig, StageConfig
from services.embedded.records.history import Cause, Instance, JobRun, StageRun


@dataclass(frozen=True)
class JobIdentifier:
    """Which run of a job it is, by the parts of GoCD's JobIdentifier."""

    pipeline: str
    counter: int
    stage: str
    stage_counter: int
    job: str

    @property
    def locator(self) -> str:
        """GoCD's name of it, and the folder of its artifacts."""
        return f"{self.pipeline}/{self.counter}/{self.stage}/{self.stage_counter}/{self.job}"


@dataclass(frozen=True)
class JobAssignment:
    run: JobRun
    stage: StageRun
    instance: Instance
    causes: tuple[Cause, ...]
    pipeline_config: PipelineConfig
    stage_config: StageConfig
    config: JobConfig

    @property
    def identifier(self) -> JobIdentifier:
        return JobIdentifier(
            self.instance.pipeline, self.instance.counter, self.stage.name, self.stage.counter, self.run.name
        )

    @property
    def display_locator(self) -> str:
        """With the label in place of the counter, as the console shows it."""
        return f"{self.instance.pipeline}/{self.instance.label}/{self.stage.name}/{self.stage.counter}/{self.run.name}"

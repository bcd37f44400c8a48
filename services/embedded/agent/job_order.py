"""All that an agent needs to know of one job."""

from dataclasses import dataclass

from services.embedded.pipelines.pipeline_config import JobConfig, PipelineConfig, StageConfig
from services.embedded.records.history import Cause, Instance, JobRun, StageRun


@dataclass(frozen=True)
class JobPlace:
    """Where a job's files are, and how GoCD names it."""

    pipeline: str
    counter: int
    stage: str
    stage_counter: int
    job: str

    @property
    def path(self) -> str:
        return f"{self.pipeline}/{self.counter}/{self.stage}/{self.stage_counter}/{self.job}"


@dataclass(frozen=True)
class JobOrder:
    run: JobRun
    stage: StageRun
    instance: Instance
    causes: tuple[Cause, ...]
    pipeline_config: PipelineConfig
    stage_config: StageConfig
    config: JobConfig

    @property
    def place(self) -> JobPlace:
        return JobPlace(
            self.instance.pipeline, self.instance.counter, self.stage.name, self.stage.counter, self.run.name
        )

    @property
    def locator(self) -> str:
        """With the label in place of the counter, as the console shows it."""
        place = self.place
        return f"{place.pipeline}/{self.instance.label}/{place.stage}/{place.stage_counter}/{place.job}"

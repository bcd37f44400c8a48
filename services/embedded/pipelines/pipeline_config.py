"""The parts of a `*.gocd.yaml` file that this server supports; any other key is refused, never ignored."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from services.embedded.pipelines.parameters import substitute_parameters

LABEL_PART = re.compile(r"\$\{([^}\[]+)(?:\[:(\d+)\])?\}")

_NAME = r"^[a-zA-Z0-9_-][a-zA-Z0-9_.-]*$"
Name = Annotated[str, StringConstraints(pattern=_NAME, max_length=255)]
TabName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]+$", max_length=15)]
Resource = Literal["python", "image"]
Variables = dict[Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str]


def is_name(text: str) -> bool:
    return len(text) <= 255 and re.fullmatch(_NAME.strip("^$"), text) is not None


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or re.search(r"[*?\\\0]", path):
        raise ValueError("expected a plain path inside the working folder, without '..' or wildcards")
    return path


InnerPath = Annotated[str, AfterValidator(_inside)]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exec(Shape):
    command: Annotated[str, Field(min_length=1)]
    arguments: tuple[str, ...] = ()
    working_directory: InnerPath = ""
    run_if: Literal["passed", "failed", "any"] = "passed"


class Fetch(Shape):
    stage: Name
    job: Name
    source: Annotated[InnerPath, Field(min_length=1)]
    pipeline: Name | None = None
    is_file: bool = False
    destination: InnerPath = ""
    run_if: Literal["passed", "failed", "any"] = "passed"


class Task(Shape):
    exec: Exec | None = None
    fetch: Fetch | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.exec is None) == (self.fetch is None):
            raise ValueError("expected one of exec and fetch")
        return self


class Build(Shape):
    source: Annotated[InnerPath, Field(min_length=1)]
    destination: InnerPath = ""


class Artifact(Shape):
    build: Build


class JobConfig(Shape):
    """`timeout` is in minutes without console output, 0 for none; `resources` are what its agent must have."""

    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    timeout: Annotated[int, Field(ge=0)] = 60
    resources: tuple[Resource, ...] = ()
    environment_variables: Variables = {}
    artifacts: tuple[Artifact, ...] = ()
    tabs: dict[TabName, InnerPath] = {}

    @property
    def agent(self) -> Resource:
        """By its resource, the agent that takes it; that of `image` can do what one of `python` can."""
        return "image" if "image" in self.resources else "python"


class Approval(Shape):
    type: Literal["success", "manual"] = "success"
    allow_only_on_success: bool = False


def _approval(raw: Any) -> Any:
    """GoCD's YAML plugin takes a bare type in place of the mapping too."""
    return {"type": raw} if isinstance(raw, str) else raw


class StageConfig(Shape):
    jobs: Annotated[dict[Name, JobConfig], Field(min_length=1)]
    approval: Annotated[Approval, BeforeValidator(_approval)] = Approval()
    clean_workspace: bool = False
    environment_variables: Variables = {}

    @property
    def manual(self) -> bool:
        return self.approval.type == "manual"


StageEntry = Annotated[dict[Name, StageConfig], Field(min_length=1, max_length=1)]


class MaterialConfig(Shape):
    """Either a package or the stage of another pipeline."""

    package: Name | None = None
    pipeline: Name | None = None
    stage: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.package is None) == (self.pipeline is None) or (self.pipeline is None) != (self.stage is None):
            raise ValueError("expected either package, or pipeline and stage")
        return self


class PipelineConfig(Shape):
    group: Name
    materials: Annotated[dict[Name, MaterialConfig], Field(min_length=1)]
    stages: Annotated[tuple[StageEntry, ...], Field(min_length=1)]
    label_template: str = "${COUNT}"
    lock_behavior: Literal["none", "lockOnFailure", "unlockWhenFinished"] = "none"
    parameters: dict[str, str] = {}
    environment_variables: Variables = {}

    @model_validator(mode="before")
    @classmethod
    def _with_parameters(cls, raw: Any) -> Any:
        return substitute_parameters(raw)

    @model_validator(mode="after")
    def _label_is_known(self) -> Self:
        for name, _ in LABEL_PART.findall(self.label_template):
            if name != "COUNT" and name not in self.materials:
                raise ValueError(f"label_template: expected COUNT or a material's name in ${{}}, found '{name}'")
        if "${" in LABEL_PART.sub("", self.label_template):
            raise ValueError("label_template: expected ${COUNT}, ${material} or ${material[:8]}")
        return self

    @property
    def stage_configs(self) -> dict[str, StageConfig]:
        return {name: stage for entry in self.stages for name, stage in entry.items()}

    @property
    def stage_names(self) -> list[str]:
        return [name for entry in self.stages for name in entry]

    def fetches(self) -> Iterator[tuple[tuple[str | int, ...], str, Fetch]]:
        """Every fetch task with its place in the file and the stage that it is in."""
        for position, entry in enumerate(self.stages):
            for stage, config in entry.items():
                for job, jobs_config in config.jobs.items():
                    for index, task in enumerate(jobs_config.tasks):
                        if task.fetch:
                            place = ("stages", position, stage, "jobs", job, "tasks", index, "fetch")
                            yield place, stage, task.fetch

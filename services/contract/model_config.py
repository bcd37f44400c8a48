"""`model.yaml`: what a team declares of its model; only a commit can change it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.contract.errors import Refused
from services.contract.located_yaml import load_yaml
from services.contract.record import ModelName, Record, Sha256
from services.contract.release import Column, ServingLimits

MODEL_FILE = "model.yaml"
ColumnType = Literal["double", "long", "string", "boolean"]
Parameter = bool | int | float | str


class Data(Record):
    """`columns` are the inputs in order; `holdout_sha256` is null until the first exam is pinned."""

    source: str
    target: str
    unit: str = ""
    columns: Annotated[dict[str, ColumnType], Field(min_length=1)]
    holdout_percent: Annotated[int, Field(ge=1, le=50)] = 20
    holdout_sha256: Sha256 | None


class Threshold(Record):
    """Bounds on a hold-out metric; at least one of them."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("expected min, max or both")
        return self


class CompareGate(Record):
    """How much worse than live a candidate may be, as a share of the live error, and how sure we must be."""

    metric: Literal["mean_absolute_error", "root_mean_squared_error"]
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.01
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    min_rows: Annotated[int, Field(ge=2)] = 100


class Gates(Record):
    thresholds: Annotated[dict[str, Threshold], Field(min_length=1)]
    latency_p99_ms: Annotated[float, Field(gt=0)]
    compare: CompareGate


class ModelConfig(Record):
    """The declared model; `variants` are named sets of hyperparameters, the first one is the default."""

    name: ModelName
    description: str
    library: Literal["sklearn"]
    task: Literal["regression"]
    data: Data
    variants: Annotated[dict[str, dict[str, Parameter]], Field(min_length=1)]
    gates: Gates
    serving: ServingLimits = ServingLimits()

    @property
    def inputs(self) -> tuple[Column, ...]:
        return tuple(Column(name=name, type=kind) for name, kind in self.data.columns.items())


def load_model_config(models: Path, name: str) -> ModelConfig:
    """Reads `<models>/<name>/model.yaml`. Raises Refused, with file and line where a field is wrong."""
    path = models / name / MODEL_FILE
    if not path.is_file():
        known = ", ".join(list_models(models)) or "none"
        raise Refused(f"expected a model in {models}, found no '{name}': known models are {known}")
    config = load_yaml(path, ModelConfig)
    if config.name != name:
        raise Refused(f"{path}: name: expected '{name}' like its folder, found '{config.name}'")
    return config


def list_models(models: Path) -> list[str]:
    return sorted(path.parent.name for path in models.glob(f"*/{MODEL_FILE}"))

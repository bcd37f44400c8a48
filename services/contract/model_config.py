"""`model.yaml`: what a team declares of its model; only a commit can change it."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from services.contract.errors import Refused
from services.contract.gates import Gates
from services.contract.located_yaml import load_yaml
from services.contract.moments import MOMENTS, moment_text
from services.contract.monitoring_rules import MonitoringRules
from services.contract.record import Cell, ModelName, Record, Sha256
from services.contract.release import Column, Retention, ServingLimits
from services.contract.rollout_plan import RolloutPlan
from services.contract.task import COMPARED, MEASURED, Task

MODEL_FILE = "model.yaml"
ColumnType = Literal["double", "long", "string", "boolean", "date", "datetime"]
# Types of MLflow's signatures that no library which ships takes from a request to its answer, and what to declare.
_INSTEAD = {
    "float": "double, to which a number of single precision is widened",
    "integer": "long, to which a whole number of 32 bits is widened",
    "binary": "string, and send the bytes in Base64",
    "array": "a column an element",
    "object": "a column a field",
    "map": "a column a key",
    "tensor": "a column an element",
}
Parameter = bool | int | float | str
_CELL_TYPES = {"double": (int, float), "long": (int,), "string": (str,), "boolean": (bool,)}


class Data(Record):
    """`columns` are the inputs in order; `holdout_sha256` is null until the first hold-out is pinned.

    `packages` are the files that the rows are made from: a distribution's name and a pattern of its paths. Rows that
    are alike in the column `split_by` fall on one side of the split; without it, equal rows do. With `split_by_time`
    the last rows by that column are held out instead. Neither column needs to be an input. Values of the columns in
    `optional` may be missing.
    """

    source: str
    packages: dict[str, str] = {}
    target: str
    unit: str = ""
    columns: Annotated[dict[str, ColumnType], Field(min_length=1)]
    optional: tuple[str, ...] = ()
    split_by: str | None = None
    split_by_time: str | None = None
    holdout_percent: Annotated[int, Field(ge=1, le=50)] = 20
    holdout_sha256: Sha256 | None

    @field_validator("target", mode="before")
    @classmethod
    def _one_target(cls, target: Any) -> Any:
        if isinstance(target, list | dict):
            raise ValueError(f"expected one column, found {len(target)}: train a model for each of them")
        return target

    @field_validator("columns", mode="before")
    @classmethod
    def _known_types(cls, columns: Any) -> Any:
        for name, kind in columns.items() if isinstance(columns, dict) else ():
            if instead := _INSTEAD.get(str(kind)):
                raise ValueError(f"column '{name}': expected {', '.join(get_args(ColumnType))}: declare {instead}")
        return columns

    @model_validator(mode="after")
    def _declared(self) -> Self:
        if unknown := [name for name in self.optional if name not in self.columns]:
            raise ValueError(f"optional: expected names of columns, found '{unknown[0]}'")
        if self.target in self.columns:
            raise ValueError(f"columns: expected inputs, found the target '{self.target}': a model would be given it")
        if self.split_by and self.split_by_time:
            raise ValueError("expected split_by or split_by_time, found both: a row can fall on one side only")
        if self.split_by_time in self.optional:
            raise ValueError(f"split_by_time: expected a column that is never missing, found '{self.split_by_time}'")
        if self.split_by_time and self.columns.get(self.split_by_time) in ("string", "boolean"):
            raise ValueError(f"split_by_time: expected dates, datetimes or numbers, found '{self.split_by_time}'")
        return self


class Batch(Record):
    """Whether a release is put into a machine image. If not, the model has no pipeline `<model>-batch`."""

    image: bool = True


class ModelConfig(Record):
    """The declared model; `variants` are named sets of hyperparameters, the first one is the default.

    `trusted` are the types and functions of its train.py that a fitted model holds, as `train.<name>`.
    `example` is one row that the model can be asked: a value for each column, null only for an optional one.
    """

    name: ModelName
    description: str
    library: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
    task: Task
    data: Data
    example: dict[str, Cell] | None = None
    variants: Annotated[dict[str, dict[str, Parameter]], Field(min_length=1)]
    gates: Gates
    serving: ServingLimits = ServingLimits()
    rollout: RolloutPlan = RolloutPlan()
    batch: Batch = Batch()
    retention: Retention = Retention()
    monitoring: MonitoringRules = MonitoringRules()
    trusted: tuple[Annotated[str, StringConstraints(pattern=r"^train\.[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()

    @model_validator(mode="after")
    def _compared_by_a_metric_of_its_task(self) -> Self:
        if (metric := self.gates.compare.metric) not in COMPARED[self.task]:
            raise ValueError(
                f"gates.compare.metric: expected one of {', '.join(COMPARED[self.task])} for {self.task}, "
                f"found '{metric}'"
            )
        return self

    @model_validator(mode="after")
    def _bounded_by_metrics_of_its_task(self) -> Self:
        bounds = {"gates.thresholds": self.gates.thresholds}
        bounds |= {f"gates.slices.{name}.thresholds": one.thresholds for name, one in self.gates.slices.items()}
        for where, thresholds in bounds.items():
            for name in thresholds:
                if name not in MEASURED[self.task]:
                    expected = f"expected one of {', '.join(MEASURED[self.task])} for {self.task}"
                    raise ValueError(f"{where}.{name}: {expected}, found another")
        return self

    @model_validator(mode="after")
    def _sliced_by_columns(self) -> Self:
        known = (*self.data.columns, self.data.target)
        for name in self.gates.slices:
            if name not in known:
                raise ValueError(f"gates.slices.{name}: expected one of {', '.join(known)}, found another")
        return self

    @model_validator(mode="after")
    def _monitored_by_columns(self) -> Self:
        if unknown := [name for name in self.monitoring.off if name not in self.data.columns]:
            known = ", ".join(self.data.columns)
            raise ValueError(f"monitoring.off.{unknown[0]}: expected one of {known}, found another")
        return self

    @field_validator("example", mode="before")
    @classmethod
    def _with_moments_as_texts(cls, example: Any) -> Any:
        """YAML reads 2013-12-27 as a date."""
        if not isinstance(example, dict):
            return example
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in example.items()}

    @field_validator("example")
    @classmethod
    def _fits_the_columns(cls, example: dict[str, Cell] | None, before: ValidationInfo) -> dict[str, Cell] | None:
        data: Data | None = before.data.get("data")
        if example is None or data is None:
            return example
        if other := sorted(example.keys() ^ data.columns.keys()):
            raise ValueError(f"expected a value for each column of data.columns, found {', '.join(other)} in one only")
        for name, kind in data.columns.items():
            if not _fits(example[name], kind, name in data.optional):
                raise ValueError(f"expected a {kind} for '{name}', found {example[name]!r}")
        return example

    @property
    def inputs(self) -> tuple[Column, ...]:
        optional = self.data.optional
        return tuple(
            Column(name=name, type=kind, required=name not in optional) for name, kind in self.data.columns.items()
        )


def _fits(value: Cell, kind: ColumnType, optional: bool) -> bool:
    if value is None:
        return optional
    return _is_moment(value, kind) if kind in MOMENTS else type(value) in _CELL_TYPES[kind]


def _is_moment(value: Cell, kind: ColumnType) -> bool:
    try:
        return isinstance(value, str) and bool(moment_text(value, kind))
    except ValueError:
        return False


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

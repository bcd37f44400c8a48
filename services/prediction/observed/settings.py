"""What a serving process shows beside its metrics, from `TRACKBACK_SERVING_*` and the standard's own `OTEL_*`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

from services.contract.errors import Refused
from services.contract.record import Record, first_problem, from_environment
from services.contract.serving_settings import PREFIX, serving_environment


class ObservedSettings(Record):
    """`traces` are sent by OpenTelemetry, which has settings of its own."""

    access_log: float = Field(0.0, ge=0, le=1, description="the share of the requests that have a line in it")
    access_folder: Path | None = Field(None, description="where it stands; on stdout if nowhere")
    access_bytes: int = Field(64_000_000, ge=1_000_000, description="how much of it is kept in that folder")
    predictions: Path | None = Field(None, description="where the prediction log stands; none is kept if nowhere")
    figures: Path | None = Field(None, description="where the workers of a model add up what they count")
    control: Path | None = Field(
        None, description="where it takes commands beside its port and says how its workers are; nowhere if not given"
    )
    traces: bool = False

    @classmethod
    def from_variables(cls, environment: Mapping[str, str]) -> Self:
        """Raises Refused, naming the variable that is wrong."""
        found = from_environment(serving_environment(environment), PREFIX)
        try:
            return cls.model_validate({**found, "traces": _traced(environment)})
        except ValidationError as error:
            field, _, problem = first_problem(error).partition(": ")
            raise Refused(f"{PREFIX}{field.upper()}: {problem}") from error


def _traced(environment: Mapping[str, str]) -> bool:
    """As OpenTelemetry's specification has its variables, but off where none of them asks for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter == "otlp" or (not exporter and any(environment.get(name) for name in endpoints))

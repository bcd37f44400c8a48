"""What the CI server is told from outside; the only module of it that reads the environment."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contract.errors import Refused
from services.contract.record import first_problem

PREFIX = "TRACKBACK_CI_"
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Paths are those of the pipelines, the two jars and the folder that holds all state."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state: Path
    pipelines: Path
    plugin_jar: Path
    host_jar: Path
    java: str = "java"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8153
    poll_seconds: Seconds = 2.0
    backoff_seconds: Seconds = 5.0
    backoff_max_seconds: Seconds = 30.0
    agents: Annotated[int, Field(ge=1, le=16)] = 2
    mlflow_ui_url: str | None = None

    @property
    def server_url(self) -> str:
        return f"http://{self.host}:{self.port}/go"


def read_settings() -> Settings:
    """Raises Refused, naming the variable that is missing or wrong."""
    try:
        return Settings()
    except ValidationError as error:
        field, _, problem = first_problem(error).partition(": ")
        raise Refused(f"{PREFIX}{field.upper()}: {problem}: set it as docs/operations.md shows") from error


def inherited_environment() -> dict[str, str]:
    """What jobs inherit, as they do from a GoCD agent."""
    return dict(os.environ)

"""The settings of the rollout service, from `TRACKBACK_ROLLOUT_*`."""

from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contract.errors import Refused
from services.contract.record import first_problem

PREFIX = "TRACKBACK_ROLLOUT_"


class Settings(BaseSettings):
    """`store` holds `releases/`, `environments` holds `prediction-<runtime>/bin/python`; seconds and bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = "127.0.0.1"
    port: int = 8154
    state: Path = Path(".trackback/rollout")
    store: Path = Path(".trackback/store")
    environments: Path = Path(".venv")
    first_port: int = 8200
    drain_seconds: float = 20.0
    load_seconds: float = 30.0
    memory_bytes: int = 4 << 30


def read_settings() -> Settings:
    """Raises Refused, naming the variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        field, _, problem = first_problem(error).partition(": ")
        raise Refused(f"{PREFIX}{field.upper()}: {problem}") from error

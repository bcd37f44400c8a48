"""The settings of the rollout service, from `TRACKBACK_ROLLOUT_*`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.contract.errors import Refused
from services.contract.http_guard import names_of, split_names
from services.contract.record import first_problem

PREFIX = "TRACKBACK_ROLLOUT_"


class BackendName(StrEnum):
    PROCESSES = "processes"
    CONTAINERS = "containers"


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)]


class Settings(BaseSettings):
    """`store` holds `releases/` and `images/`; seconds and bytes. Who changes what answers shows the token, if any.

    It answers under its host's name, those of the loopback address, and `hosts`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = "127.0.0.1"
    port: int = 8154
    state: Path = Path(".trackback/rollout")
    store: Path = Path(".trackback/store")
    hosts: Listed = ()
    token_file: Path | None = None
    drain_seconds: float = 20.0
    # A net for what never comes: a busy machine may take long to load what is good.
    load_seconds: float = 120.0
    memory_bytes: int = 4 << 30
    backend: BackendName = BackendName.PROCESSES

    # For processes: `environments` holds `prediction-<runtime>/bin/python`.
    environments: Path = Path(".venv")
    first_port: int = 8200

    # For containers: `registry` and `base_images` as the engine names them, `public_url` as clients reach the gateway.
    # Only containers that carry the name of `project` are ours.
    registry: str = ""
    base_images: Listed = ()
    network: str = ""
    gateway_runtime: str = ""
    gateway_url: str = ""
    public_url: str = ""
    project: str = Field("trackback", pattern="^[a-z0-9]+([_-][a-z0-9]+)*$")

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.host, self.hosts)


FOR_CONTAINERS = ("token_file", "registry", "base_images", "network", "gateway_runtime", "gateway_url", "public_url")


def read_settings() -> Settings:
    """Raises Refused, naming the variable that is wrong or missing."""
    try:
        settings = Settings()
    except ValidationError as error:
        field, _, problem = first_problem(error).partition(": ")
        raise Refused(f"{PREFIX}{field.upper()}: {problem}") from error
    missing = [f"{PREFIX}{name.upper()}" for name in FOR_CONTAINERS if not getattr(settings, name)]
    if settings.backend is BackendName.CONTAINERS and missing:
        raise Refused(f"expected {', '.join(missing)} for {PREFIX}BACKEND=containers, found none: set them")
    return settings

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

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8154, description="port to listen on")
    state: Path = Field(Path(".trackback/rollout"), description="a journal and a pointer for each model")
    store: Path = Field(Path(".trackback/store"), description="releases and records of images")
    more_stores: Listed = Field(
        (),
        description="further stores, with commas, such as a backup: what the store lacks is fetched from there",
    )
    hosts: Listed = Field(
        (), description="further names under which it and its models are asked, with commas, such as a reverse proxy's"
    )
    token_file: Path | None = Field(
        None, description="the token that a change must show; containers are not started without one"
    )
    drain_seconds: float = Field(20.0, description="how long connections of the release before are given")
    # A net for what never comes: a busy machine may take long to load what is good.
    load_seconds: float = Field(120.0, description="how long a candidate may load")
    memory_bytes: int = Field(4 << 30, description="memory of a release's process or container")
    backend: BackendName = Field(
        BackendName.PROCESSES, description="what serves a release; `containers` in the compose stack"
    )

    # For processes: `environments` holds `prediction-<runtime>/bin/python`.
    environments: Path = Field(Path(".venv"), description="processes: the environments of the prediction service")
    first_port: int = Field(8200, description="processes: the first model's port")

    # For containers: `registry` and `base_images` as the engine names them, `public_url` as clients reach the gateway.
    # Only containers that carry the name of `project` are ours.
    registry: str = Field("", description="containers: the registry as the engine reaches it")
    base_images: Listed = Field(
        (), description="containers: images that are put into the registry at the start, with commas"
    )
    network: str = Field("", description="containers: the network they are on")
    gateway_runtime: str = Field("", description="containers: HAProxy's runtime API")
    gateway_url: str = Field("", description="containers: the gateway as the rollout service reaches it")
    public_url: str = Field("", description="containers: the gateway as clients reach it")
    project: str = Field(
        "trackback", pattern="^[a-z0-9]+([_-][a-z0-9]+)*$", description="containers: whose they are, by their label"
    )

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

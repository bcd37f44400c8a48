"""The settings of the CI server; the only module of it that reads the environment."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.contract.errors import Refused
from services.contract.http_guard import EVERYWHERE, names_of, split_names
from services.contract.record import first_problem
from services.embedded.pipelines.located import problem_at

PREFIX = "TRACKBACK_CI_"
Seconds = Annotated[float, Field(gt=0)]


class CiSettings(BaseSettings):
    """`pipelines` is a file of pipelines; without it there are only those of config repos.

    `name` is the name by which others reach this host, `hosts` are further ones. With password files every request
    needs a user; without them, requests that change something need the token in `token_file`, if that is set.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state: Path = Field(description="folder of all state")
    plugin_jar: Path = Field(description="the package-repository plugin")
    host_jar: Path = Field(description="the JVM host that loads it")
    pipelines: Path | None = Field(
        None, description="file of pipelines; without one those of config repos that its API is told of"
    )
    java: str = Field("java", description="the JVM")
    host: str = Field("127.0.0.1", description="address to listen on; without passwords a loopback one")
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")] = 8153
    poll_seconds: Seconds = Field(2.0, description="seconds between polls; GoCD's are 60")
    backoff_seconds: Seconds = Field(5.0, description="rest after a first failed poll; GoCD's is 300")
    backoff_max_seconds: Seconds = Field(30.0, description="longest rest after failed polls; GoCD's is 3600")
    agents: Annotated[int, Field(ge=1, le=16, description="jobs at once")] = 2
    images: bool = Field(
        False, description="one more agent, with the resource `image`: it builds and boots [machine images](batch.md)"
    )
    image_niceness: Annotated[int, Field(ge=0, le=19, description="nice(1) of its jobs: 19 leaves all else alone")] = 19
    mlflow_ui_url: str | None = Field(None, description="MLflow's address, as a link on the page")
    name: str | None = Field(None, description="the name by which others reach it")
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = Field(
        (), description="further names under which it is asked, with commas"
    )
    token_file: Path | None = Field(
        None, description="without passwords: the token that a change must show; the platform's is `token` in its state"
    )
    password_file: Path | None = Field(None, description="password of `admin`")
    operator_password_file: Path | None = Field(None, description="password of `operator`")

    @model_validator(mode="after")
    def _closed_to_others(self) -> Self:
        if self.operator_password_file and not self.password_file:
            raise problem_at(("password_file",), "expected the administrator's password beside the operator's")
        if not self.password_file and not _is_loopback(self.host):
            raise problem_at(("password_file",), f"expected one, because others can reach {self.host}")
        if self.token_file and self.password_file:
            raise problem_at(("token_file",), "expected none beside passwords: users have tokens of their own")
        if not self.name and self.host in EVERYWHERE:
            raise problem_at(("name",), f"expected the name by which others reach it, because {self.host} is none")
        return self

    @property
    def server_url(self) -> str:
        return f"http://{self.name or self.host}:{self.port}/go"

    @property
    def names(self) -> tuple[str, ...]:
        """The host names under which it answers."""
        return names_of(self.host, [*([self.name] if self.name else []), *self.hosts])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_ci_settings() -> CiSettings:
    """Raises Refused, naming the variable that is missing or wrong."""
    try:
        return CiSettings()
    except ValidationError as error:
        field, _, problem = first_problem(error).partition(": ")
        raise Refused(f"{PREFIX}{field.upper()}: {problem}: set it as docs/operations.md shows") from error


def inherited_environment() -> dict[str, str]:
    """The environment of this process, which jobs inherit as they do from a GoCD agent."""
    return dict(os.environ)

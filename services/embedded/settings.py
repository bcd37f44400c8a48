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

    state: Path
    plugin_jar: Path
    host_jar: Path
    pipelines: Path | None = None
    java: str = "java"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8153
    poll_seconds: Seconds = 2.0
    backoff_seconds: Seconds = 5.0
    backoff_max_seconds: Seconds = 30.0
    agents: Annotated[int, Field(ge=1, le=16)] = 2
    mlflow_ui_url: str | None = None
    name: str | None = None
    hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_names)] = ()
    token_file: Path | None = None
    password_file: Path | None = None
    operator_password_file: Path | None = None

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

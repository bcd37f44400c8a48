"""The settings of the embedded platform: its state folder and its ports."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.record import Record

ADDRESS = "127.0.0.1"


PREFIX = "TRACKBACK_"
Port = Annotated[int, Field(ge=1, le=65535)]


_PORT = "a port from 1 to 65535"
_EXPECTED = {"ci": "true or false", "images": "true or false", "image_niceness": "a number from 0 to 19"}


class PlatformSettings(BaseSettings):
    """Read from `TRACKBACK_STATE`, `TRACKBACK_MLFLOW_PORT` and so on; without `ci`, GoCD is the one at `gocd_url`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    state: Path = Field(ROOT / ".trackback", description="folder of all state")
    mlflow_port: Port = Field(5000, description="port of MLflow")
    gocd_port: Port = Field(8153, description="port of the CI server")
    rollout_port: Port = Field(8154, description="port of the rollout service")
    serving_port: Port = Field(8200, description="port of the first model; the next model gets the next one")
    ci: bool = Field(
        True, description="`false` is `--no-ci`: no CI server is started, GoCD is [yours](your-own-gocd.md)"
    )
    gocd_url: str = Field("http://127.0.0.1:8153/go", description="where your GoCD answers, without a CI server")

    images: bool = Field(
        True, description="`false` builds no [machine images](batch.md), even where their tools are installed"
    )
    image_niceness: Annotated[
        int, Field(ge=0, le=19, description="nice(1) of what builds and boots them: 19 leaves all else alone")
    ] = 19

    @property
    def ports(self) -> dict[str, int]:
        """By the variable that sets each; the first port of model servers is the last."""
        names = ("mlflow_port", *(["gocd_port"] if self.ci else []), "rollout_port", "serving_port")
        return {f"{PREFIX}{name.upper()}": getattr(self, name) for name in names}

    @property
    def urls(self) -> "Urls":
        return Urls(
            mlflow=f"http://{ADDRESS}:{self.mlflow_port}",
            gocd=f"http://{ADDRESS}:{self.gocd_port}/go" if self.ci else self.gocd_url,
            rollout=f"http://{ADDRESS}:{self.rollout_port}",
        )


def read_platform_settings(no_ci: bool = False) -> PlatformSettings:
    """Raises Refused, naming the variable that is wrong, what it holds and what it may hold."""
    try:
        settings = PlatformSettings(ci=False) if no_ci else PlatformSettings()
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = str(problem["loc"][0])
        found = f"expected {PREFIX}{field.upper()} to be {_EXPECTED.get(field, _PORT)}, found '{problem['input']}'"
        raise Refused(f"{found}: set another") from error
    _refuse_one_port_twice(settings.ports)
    return settings


def _refuse_one_port_twice(ports: dict[str, int]) -> None:
    for variable, port in ports.items():
        for other in (other for other, same in ports.items() if same == port and other != variable):
            both = f"{variable} and {other}"
            raise Refused(f"expected a port of its own for each service, found {port} in {both}: change one")


class Urls(Record):
    """The addresses of the services; printed when the platform is ready."""

    mlflow: str
    gocd: str
    rollout: str

    def environment(self) -> dict[str, str]:
        """The variables that the verbs read."""
        return {
            "MLFLOW_TRACKING_URI": self.mlflow,
            "TRACKBACK_GOCD_URL": self.gocd,
            "TRACKBACK_ROLLOUT_URL": self.rollout,
        }

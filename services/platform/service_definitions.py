"""The services of the platform: the command and the variables of each."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from services.contract.checkout import ROOT
from services.contract.image_tools import missing_packages, places
from services.platform.settings import PlatformSettings

_PLUGIN = ROOT / "plugin" / "package-repository" / "target" / "trackback-mlflow-plugin.jar"
_PLUGIN_HOST = ROOT / "plugin" / "host" / "target" / "trackback-plugin-host.jar"


@dataclass(frozen=True)
class ServiceDefinition:
    """A process to keep alive, with variables of its own; `ready` is a URL that answers 200 once it is ready.

    With `children_live_on` a restart spares its children: model servers must not end with the rollout service.
    """

    name: str
    command: tuple[str, ...]
    variables: dict[str, str]
    ready: str = ""
    children_live_on: bool = False


# Where the verbs find what the platform keeps, by the folder of its state.
KEPT_IN = {"TRACKBACK_STORE": "store", "TRACKBACK_ROLLOUT_STATE": "rollout"}


def token_file(state: Path) -> Path:
    """The token that changes at the CI server and the rollout service need; new at each start, for its owner alone."""
    return state / "token"


def token_variables(settings: PlatformSettings) -> tuple[str, ...]:
    """The variables that hold the path of the token file; a GoCD that is not the platform's own has another token."""
    return (*(["TRACKBACK_GOCD_TOKEN_FILE"] if settings.ci else []), "TRACKBACK_ROLLOUT_TOKEN_FILE")


def verb_environment(settings: PlatformSettings, state: Path) -> dict[str, str]:
    """The environment in which `trackback` finds the platform, also inside of a pipeline's job."""
    ours = token_variables(settings)
    # A token in a variable has precedence over a token file, and would be one of another server.
    before = [name.removesuffix("_FILE") for name in ours]
    inherited = {name: value for name, value in os.environ.items() if name not in before}
    return {
        **inherited,
        **settings.urls.environment(),
        **dict.fromkeys(ours, str(token_file(state))),
        "PATH": f"{ROOT / 'scripts'}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        **{variable: str(state / folder) for variable, folder in KEPT_IN.items()},
    }


def phases(settings: PlatformSettings, state: Path) -> list[list[ServiceDefinition]]:
    """Services by the order of starting, those together that may. The CI server is last: it polls MLflow at once."""
    first = [_mlflow(settings, state / "mlflow"), _rollout(settings, state)]
    return [first, [_ci(settings, state)]] if settings.ci else [first]


def follow(settings: PlatformSettings) -> ServiceDefinition:
    """The process that makes the CI server poll at once when a run is promoted; nothing waits for it to be ready."""
    return ServiceDefinition("follow", tuple(gocd_command(settings, "follow")), {})


def gocd_command(settings: PlatformSettings, verb: str) -> list[str]:
    command = [sys.executable, "-m", "services.delivery", "gocd", verb, "--url", settings.urls.gocd]
    return [*command, "--models", str(ROOT / "training" / "models")]


def missing_image_tools() -> list[str]:
    """Debian's packages that this machine has not."""
    return missing_packages(places(os.environ.get("PATH", "")))


def _mlflow(settings: PlatformSettings, place: Path) -> ServiceDefinition:
    command = (sys.executable, "-m", "services.mlflow", str(place), str(settings.mlflow_port))
    return ServiceDefinition("mlflow", command, {}, f"{settings.urls.mlflow}/health")


def _rollout(settings: PlatformSettings, state: Path) -> ServiceDefinition:
    variables = {
        "PORT": str(settings.rollout_port),
        "FIRST_PORT": str(settings.serving_port),
        "STATE": str(state / "rollout"),
        "STORE": str(state / "store"),
        "ENVIRONMENTS": str(ROOT / ".venv"),
        "TOKEN_FILE": str(token_file(state)),
    }
    command = (sys.executable, "-m", "services.rollout")
    ready = f"{settings.urls.rollout}/health"
    return ServiceDefinition(
        "rollout", command, _prefixed("TRACKBACK_ROLLOUT_", variables), ready, children_live_on=True
    )


def _ci(settings: PlatformSettings, state: Path) -> ServiceDefinition:
    variables = {
        "PORT": str(settings.gocd_port),
        "STATE": str(state / "ci"),
        "TOKEN_FILE": str(token_file(state)),
        "PIPELINES": str(ROOT / "services" / "gocd" / "pipelines.gocd.yaml"),
        "PLUGIN_JAR": str(_PLUGIN),
        "HOST_JAR": str(_PLUGIN_HOST),
        "IMAGES": str(settings.images and not missing_image_tools()),
        "IMAGE_NICENESS": str(settings.image_niceness),
    }
    command = (sys.executable, "-m", "services.embedded.server")
    return ServiceDefinition(
        "ci", command, _prefixed("TRACKBACK_CI_", variables), f"{settings.urls.gocd}/api/v1/health"
    )


def _prefixed(prefix: str, variables: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}{name}": value for name, value in variables.items()}

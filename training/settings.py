"""Settings of the training job: the address of MLflow and the folder of the models."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.contract.client_settings import ClientSettings
from services.contract.tracking_server import refuse_unless_up

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"

_DEFAULTS = {
    # Boosted trees take ten times as long when threads sleep at once, and as much where others need the cores when they
    # wait by spinning: so they spin a little.
    "GOMP_SPINCOUNT": "1000",
    # MLflow's own 7 are four minutes of silence.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5",
    # Of its own 10 s nothing would come of a run that is over sooner.
    "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL": "2",
}
_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The server would name its object store as it reaches it itself, which no client outside its network does.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    "MLFLOW_SKIP_PIP_REQUIREMENTS_CHECK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}


class Settings(ClientSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    mlflow_tracking_uri: str = Field("http://127.0.0.1:5000", description="where MLflow takes runs")
    trackback_models: Path = Field(ROOT / "training" / "models", description="a folder for each model")
    trackback_environments: Path = Field(
        ROOT / ".venv", description="the environments of libraries and services, a folder each"
    )

    def library_environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Variables for MLflow and other libraries; those that the user has `given` win over our defaults only."""
        defaults = {name: value for name, value in _DEFAULTS.items() if name not in given}
        return {**defaults, **_ALWAYS, "MLFLOW_TRACKING_URI": self.mlflow_tracking_uri}

    def prepare(self) -> None:
        """For MLflow, GitPython and OpenMP, which read their settings from the environment when they are imported.

        Raises Refused when the server does not answer.
        """
        refuse_unless_up(self.mlflow_tracking_uri)
        os.environ.update(self.library_environment(os.environ))

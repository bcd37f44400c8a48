"""Where the verbs find MLflow, GoCD, the registry, the rollout service, the models, the store and the environments."""

import tomllib
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contract.errors import Refused

ROOT = Path(__file__).parents[2]


def _version() -> str:
    """Of this project; the bases of its images have it as their tag."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


class Settings(BaseSettings):
    """Read from the environment, else from what the platform of this checkout wrote when it was started."""

    model_config = SettingsConfigDict(
        frozen=True, env_file=ROOT / ".trackback" / "platform.env", extra="ignore", env_ignore_empty=True
    )

    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    trackback_mlflow_ui_url: str | None = None
    trackback_gocd_url: str = "http://127.0.0.1:8153/go"
    trackback_gocd_ui_url: str | None = None
    trackback_gocd_token: SecretStr | None = None
    trackback_gocd_token_file: Path | None = None
    trackback_rollout_url: str = "http://127.0.0.1:8154"
    trackback_rollout_token: SecretStr | None = None
    trackback_rollout_token_file: Path | None = None
    trackback_gateway_url: str | None = None
    trackback_registry_url: str | None = None
    trackback_base_tag: str = Field(default_factory=_version)
    trackback_models: Path = ROOT / "training" / "models"
    trackback_store: Path = ROOT / ".trackback" / "store"
    trackback_environments: Path = ROOT / ".venv"

    @property
    def mlflow_ui_url(self) -> str:
        return (self.trackback_mlflow_ui_url or self.mlflow_tracking_uri).rstrip("/")

    @property
    def gocd_ui_url(self) -> str:
        return (self.trackback_gocd_ui_url or self.trackback_gocd_url).rstrip("/")

    @property
    def gocd_token(self) -> str | None:
        return _token(self.trackback_gocd_token, self.trackback_gocd_token_file, "TRACKBACK_GOCD_TOKEN_FILE")

    @property
    def rollout_token(self) -> str | None:
        return _token(self.trackback_rollout_token, self.trackback_rollout_token_file, "TRACKBACK_ROLLOUT_TOKEN_FILE")

    def answers_at(self, model: str) -> str | None:
        """Where the gateway answers for a model, None without a gateway."""
        return f"{self.trackback_gateway_url.rstrip('/')}/models/{model}" if self.trackback_gateway_url else None


def _token(given: SecretStr | None, file: Path | None, variable: str) -> str | None:
    if given or file is None:
        return given.get_secret_value() if given else None
    try:
        found = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Refused(f"{file}: expected the token that {variable} names, cannot read it: {error.strerror}") from error
    if not found:
        raise Refused(f"{file}: expected the token that {variable} names, found an empty file")
    return found

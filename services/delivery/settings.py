"""Where the verbs find MLflow, GoCD, the rollout service, the models, the store and the environments."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).parents[2]


class Settings(BaseSettings):
    """Read from the environment, else from what the platform of this checkout wrote when it was started."""

    model_config = SettingsConfigDict(frozen=True, env_file=ROOT / ".trackback" / "platform.env", extra="ignore")

    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    trackback_mlflow_ui_url: str | None = None
    trackback_gocd_url: str = "http://127.0.0.1:8153/go"
    trackback_rollout_url: str = "http://127.0.0.1:8154"
    trackback_models: Path = ROOT / "training" / "models"
    trackback_store: Path = ROOT / ".trackback" / "store"
    trackback_environments: Path = ROOT / ".venv"

    @property
    def mlflow_ui_url(self) -> str:
        return (self.trackback_mlflow_ui_url or self.mlflow_tracking_uri).rstrip("/")

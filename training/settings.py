"""Where a training job finds MLflow and the models."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"


class Settings(BaseSettings):
    """Read from the environment, else from what the platform of this checkout wrote when it was started."""

    model_config = SettingsConfigDict(frozen=True, env_file=ROOT / ".trackback" / "platform.env", extra="ignore")

    mlflow_tracking_uri: str = "http://127.0.0.1:5000"
    trackback_models: Path = ROOT / "training" / "models"
    trackback_environments: Path = ROOT / ".venv"

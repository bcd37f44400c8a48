"""Where the embedded platform keeps its state and which ports it takes."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from services.contract.record import Record

ROOT = Path(__file__).parents[2]
ADDRESS = "127.0.0.1"


class PlatformSettings(BaseSettings):
    """Read from `TRACKBACK_STATE`, `TRACKBACK_MLFLOW_PORT` and so on."""

    model_config = SettingsConfigDict(env_prefix="TRACKBACK_", frozen=True)

    state: Path = ROOT / ".trackback"
    mlflow_port: int = 5000
    gocd_port: int = 8153
    rollout_port: int = 8154
    serving_port: int = 8200

    @property
    def urls(self) -> "Urls":
        return Urls(
            mlflow=f"http://{ADDRESS}:{self.mlflow_port}",
            gocd=f"http://{ADDRESS}:{self.gocd_port}/go",
            rollout=f"http://{ADDRESS}:{self.rollout_port}",
        )


class Urls(Record):
    """What a client of the platform must know; printed when it is ready."""

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

"""Where the verbs find MLflow, GoCD, the registry, the rollout service, the models, the store and the environments."""

import base64
import tomllib
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.contract.checkout import ROOT
from services.contract.client_settings import ClientSettings
from services.contract.secret_file import read_secret


def _version() -> str:
    """Of this project; the bases of its images have it as their tag."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


class Settings(ClientSettings):
    KEYS = {"gocd_url": "gocd_token_file", "rollout_url": "rollout_token_file"}

    model_config = SettingsConfigDict(env_prefix="trackback_", frozen=True, extra="ignore", env_ignore_empty=True)

    # MLflow's own client reads these, so they have its names, without our prefix.
    mlflow_tracking_uri: str = Field(
        "http://127.0.0.1:5000", validation_alias="mlflow_tracking_uri", description="where MLflow answers"
    )
    mlflow_tracking_username: str | None = Field(
        None, validation_alias="mlflow_tracking_username", description="login, where MLflow asks for one"
    )
    mlflow_tracking_password: SecretStr | None = Field(
        None, validation_alias="mlflow_tracking_password", description="its password"
    )
    mlflow_tracking_token: SecretStr | None = Field(
        None, validation_alias="mlflow_tracking_token", description="a token in place of login and password"
    )
    mlflow_s3_endpoint_url: str | None = Field(
        None,
        validation_alias="mlflow_s3_endpoint_url",
        description="the object store of `s3a://…` for `score`, if it is not AWS",
    )
    mlflow_ui_url: str | None = Field(
        None, description="MLflow in links that a browser opens, if it has another address there"
    )
    gocd_url: str = Field("http://127.0.0.1:8153/go", description="where GoCD answers")
    gocd_ui_url: str | None = Field(
        None, description="GoCD in links that a browser opens, if it has another address there"
    )
    gocd_token: SecretStr | None = Field(None, description="GoCD's access token, for promote and status")
    gocd_token_file: Path | None = Field(None, description="the file that holds that token")
    rollout_url: str = Field("http://127.0.0.1:8154", description="where the rollout service answers")
    rollout_token: SecretStr | None = Field(None, description="the rollout service's token, for deploy and rollback")
    rollout_token_file: Path | None = Field(None, description="the file that holds that token")
    rollout_state: Path = Field(
        ROOT / ".trackback" / "rollout",
        description="state of the rollout service; history, who-served and audit read it while that does not answer",
    )
    gateway_url: str | None = Field(
        None, description="deploy asks a model here, at `/models/<model>`, not where the rollout service says"
    )
    registry_url: str | None = Field(
        None, description="package pushes release images here; `http://user:password@…` where one must log in"
    )
    base_tag: str = Field(
        default_factory=_version,
        description="tag of `trackback/prediction-<runtime>`, the base of an image; the project's version if not set",
    )
    notify_url: SecretStr | None = Field(
        None, description="[who is told](#notifications) of a gate that said no; the rollout service reads it, too"
    )
    # botocore reads AWS_DEFAULT_REGION and profiles, but not this one, which AWS's command line does.
    aws_region: str | None = Field(
        None, validation_alias="aws_region", description="region of publish-image; else as AWS's own tools find it"
    )
    models: Path = Field(ROOT / "training" / "models", description="a folder for each model")
    store: Path = Field(ROOT / ".trackback" / "store", description="models, hold-outs and releases")
    environments: Path = Field(ROOT / ".venv", description="the environments of libraries and services, a folder each")

    @property
    def mlflow_browser_url(self) -> str:
        return (self.mlflow_ui_url or self.mlflow_tracking_uri).rstrip("/")

    @property
    def mlflow_authorization(self) -> str | None:
        """The header's value; the variables, and which goes first, are those of MLflow's own client."""
        if self.mlflow_tracking_username and self.mlflow_tracking_password:
            login = f"{self.mlflow_tracking_username}:{self.mlflow_tracking_password.get_secret_value()}"
            return f"Basic {base64.b64encode(login.encode()).decode()}"
        token = self.mlflow_tracking_token
        return f"Bearer {token.get_secret_value()}" if token else None

    @property
    def gocd_browser_url(self) -> str:
        return (self.gocd_ui_url or self.gocd_url).rstrip("/")

    @property
    def gocd_access_token(self) -> str | None:
        return _token(self.gocd_token, self.gocd_token_file, "TRACKBACK_GOCD_TOKEN_FILE")

    @property
    def rollout_access_token(self) -> str | None:
        return _token(self.rollout_token, self.rollout_token_file, "TRACKBACK_ROLLOUT_TOKEN_FILE")

    def answers_at(self, model: str) -> str | None:
        """Where the gateway answers for a model, None without a gateway."""
        return f"{self.gateway_url.rstrip('/')}/models/{model}" if self.gateway_url else None


def _token(given: SecretStr | None, file: Path | None, variable: str) -> str | None:
    if given:
        return given.get_secret_value()
    return read_secret(file, f"the token that {variable} names") if file else None

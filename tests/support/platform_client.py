"""What a person can do from outside, through the public interfaces of MLflow, GoCD and the rollout service only."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.contract import names
from services.contract.model_config import load_model_config
from services.gocd.instances import failed_stage, has_ended, has_passed, is_downstream, promotes, results
from services.platform.settings import Urls
from tests.support.paths import MODELS, ROOT
from tests.support.poll import poll_until
from tests.support.steady_client import SteadyClient

Json = dict[str, Any]
MODEL = "diamond-price"
TRACKBACK = str(ROOT / "scripts" / "trackback")


def example(model: str) -> Json:
    """The row that model.yaml gives as an example."""
    row = load_model_config(MODELS, model).example
    assert row is not None
    return dict(row)


@dataclass(frozen=True)
class Access:
    """Where the platform is and how `trackback` reaches it; `gocd_token` where GoCD asks for one.

    A delivery may take `patience` seconds; `say` is told what is waited for.
    """

    urls: Urls
    environment: dict[str, str]
    trackback: tuple[str, ...] = (TRACKBACK,)
    gocd_token: str | None = None
    patience: float = 1200
    say: Callable[[str], None] = lambda _: None


class PlatformClient:
    """Acts on one model, and asks it the example of its model.yaml."""

    def __init__(self, access: Access, model: str = MODEL) -> None:
        self._access, self._urls = access, access.urls
        self.model, self.question = model, {"dataframe_records": [example(model)]}

    def with_model(self, model: str) -> "PlatformClient":
        return PlatformClient(self._access, model)

    def trackback(self, *arguments: str) -> Json:
        command = [*self._access.trackback, *arguments]
        done = subprocess.run(
            command, env=self._access.environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1200
        )
        assert done.returncode == 0, f"trackback {' '.join(arguments)}: {done.stderr}"
        return dict(json.loads(done.stdout))

    def train(self, *options: str) -> str:
        return str(self.trackback("train", self.model, *options)["run_id"])

    def tag(self, run_id: str, value: str) -> None:
        """As MLflow's UI does when a person types a tag."""
        self._tag(run_id, names.PROMOTE_TAG, value)

    def _tag(self, run_id: str, key: str, value: str) -> None:
        body = {"run_id": run_id, "key": key, "value": value}
        httpx.post(f"{self._urls.mlflow}/api/2.0/mlflow/runs/set-tag", json=body).raise_for_status()

    def ask_for_preview(self, run_id: str, pull_request: str) -> None:
        """As the job of a pull request does."""
        self._tag(run_id, names.PREVIEW_TAG, pull_request)

    def previewed(self, run_id: str) -> Json:
        """The newest preview of this run, ended."""
        return self._ended(f"{self.model}{names.PREVIEW}", lambda one: promotes(one, run_id))

    def artifacts(self, run_id: str, folder: str) -> set[str]:
        """The names of the run's files in this folder."""
        found = self._get(f"{self._urls.mlflow}/api/2.0/mlflow/artifacts/list?run_id={run_id}&path={folder}").json()
        return {str(file["path"]).rpartition("/")[2] for file in found.get("files", [])}

    def promote(self, run_id: str, reason: str) -> None:
        self.trackback("promote", self.model, "--run", run_id, "--reason", reason)

    def instances(self, pipeline: str) -> list[Json]:
        answer = self._get(f"{self._urls.gocd}/api/pipelines/{pipeline}/history?page_size=10")
        return list(answer.json()["pipelines"])

    def newest(self, pipeline: str) -> int:
        """The counter of the newest instance, 0 when there is none."""
        return max((int(one["counter"]) for one in self.instances(pipeline)), default=0)

    def delivered(self, after: int, run_id: str) -> Json:
        """The build of this run that came after counter `after`, ended, with its deployment ended when it passed."""
        build = self._ended(self.model, lambda one: one["counter"] > after and promotes(one, run_id))
        if has_passed(build):
            online = self._ended(f"{self.model}-online", lambda one: is_downstream(one, build))
            assert has_passed(online), self.console(online, failed_stage(online) or names.DEPLOY_STAGE)
        return build

    def batched(self, build: Json) -> Json:
        """The machine image that was built from this build, ended."""
        return self._ended(f"{self.model}{names.BATCH}", lambda one: is_downstream(one, build))

    def stages(self, build: Json) -> dict[str, str]:
        return results(build)

    def console(self, instance: Json, stage: str) -> str:
        counter = next(one["counter"] for one in instance["stages"] if one["name"] == stage)
        path = f"/files/{instance['name']}/{instance['counter']}/{stage}/{counter}/{stage}/cruise-output/console.log"
        return self._get(self._urls.gocd + path).text

    def artifact(self, instance: Json, stage: str, name: str) -> httpx.Response:
        counter = next(one["counter"] for one in instance["stages"] if one["name"] == stage)
        path = f"/files/{instance['name']}/{instance['counter']}/{stage}/{counter}/{stage}/{name}"
        return self._get(self._urls.gocd + path)

    def state(self) -> Json:
        return dict(self._get(f"{self._urls.rollout}/models/{self.model}").json())

    def invocations_url(self) -> str:
        return f"{self.state()['url']}/invocations"

    def ask(self) -> httpx.Response:
        return httpx.post(self.invocations_url(), json=self.question).raise_for_status()

    @contextmanager
    def keeps_asking(self) -> Iterator[SteadyClient]:
        """All the time of the block, from the first answers on; `answers` are counted by revision."""
        question = json.dumps(self.question).encode()
        with SteadyClient(self.state()["url"], question, names.REVISION_HEADER, kept=2, fresh=2, pause=0.1) as asking:
            asking.heard_any()
            yield asking

    def champion(self) -> str:
        """The run that MLflow's alias names."""
        path = f"/api/2.0/mlflow/registered-models/alias?name={self.model}&alias={names.CHAMPION_ALIAS}"
        return str(self._get(self._urls.mlflow + path).json()["model_version"]["run_id"])

    def run(self, run_id: str) -> Json:
        path = f"/api/2.0/mlflow/runs/get?run_id={run_id}"
        return dict(self._get(self._urls.mlflow + path).json()["run"])

    def health_messages(self) -> list[Json]:
        return list(self._get(f"{self._urls.gocd}/api/server_health_messages").json())

    def _get(self, url: str) -> httpx.Response:
        """A person reloads a page whose server is just being started again."""

        headers = {"Accept": "application/vnd.go.cd.v1+json"}
        if self._access.gocd_token and url.startswith(self._urls.gocd):
            headers["Authorization"] = f"bearer {self._access.gocd_token}"

        def look() -> httpx.Response | None:
            try:
                return httpx.get(url, headers=headers, timeout=60)
            except httpx.TransportError:
                return None

        return poll_until(look, f"an answer of {url}").raise_for_status()

    def _ended(self, pipeline: str, wanted: Callable[[Json], bool]) -> Json:
        def look() -> Json | None:
            return next((one for one in self.instances(pipeline) if wanted(one) and has_ended(one)), None)

        what = f"an instance of {pipeline} to end"
        self._access.say(f"waiting up to {self._access.patience:g} s for {what}")
        return poll_until(look, what, seconds=self._access.patience)

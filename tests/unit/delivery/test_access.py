"""What the verbs show to the services that want to know them, and where they look for an answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from services.contract import names
from services.contract.deployment import Action, Deployment, DeployRequest, ModelState, RollbackRequest
from services.contract.errors import Refused
from services.contract.release import Release
from services.delivery.clients.rollout_client import Rollout
from services.delivery.clients.tracking import connect
from services.delivery.settings import Settings
from services.delivery.verbs.deploy import deployed
from services.delivery.verbs.status import status
from tests.support.paths import ROOT
from tests.support.release_factory import WHEN, build_release

MODEL = "diamond-price"


class Asked:
    """A service that lets in who shows its token, and remembers what each request had shown."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.answers: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.shown: dict[str, str | None] = {}
        self.url = ""

    @contextmanager
    def listening(self) -> Iterator["Asked"]:
        asked = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802  the library's name
                self._answer()

            def do_POST(self) -> None:  # noqa: N802  the library's name
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(asked.token)

            def _answer(self, token: str | None = None) -> None:
                shown = asked.shown[self.path] = self.headers["Authorization"]
                known = token is None or shown == f"Bearer {token}"
                body = asked.answers.get(self.path, "{}").encode()
                self.send_response(200 if known else 401)
                for name, value in asked.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """stderr is the test's."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                server.shutdown()


@pytest.fixture
def rollout() -> Iterator[Asked]:
    with Asked(token="open sesame").listening() as service:
        yield service


def deployment_of(release: Release) -> Deployment:
    manifest = release.manifest
    return Deployment(
        model=MODEL,
        revision=manifest.revision,
        release=release.digest,
        run_id=manifest.candidate.run.run_id,
        action=Action.DEPLOY,
        at=WHEN,
        by="ada",
        reason="",
    )


def test_a_token_that_is_given_wins_over_the_one_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("  of the file\n")
    settings = Settings(rollout_token_file=file, gocd_token_file=file)
    assert (settings.rollout_access_token, settings.gocd_access_token) == ("of the file", "of the file")
    assert (Settings().rollout_access_token, Settings().gocd_access_token) == (None, None)
    monkeypatch.setenv("TRACKBACK_ROLLOUT_TOKEN", "hush")
    given = Settings(rollout_token_file=file, gocd_token_file=file)
    assert (given.rollout_access_token, given.gocd_access_token) == ("hush", "of the file")
    assert "hush" not in repr(given)


@pytest.mark.parametrize(("content", "found"), [(None, "cannot read it: No such file"), (" \n", "found an empty file")])
def test_a_token_file_without_a_token_is_refused_with_its_variable(
    content: str | None, found: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    if content:
        file.write_text(content)
    with pytest.raises(Refused, match=f"^{file}: expected the token that TRACKBACK_ROLLOUT_TOKEN_FILE names, {found}"):
        _ = Settings(rollout_token_file=file).rollout_access_token
    with pytest.raises(Refused, match="TRACKBACK_GOCD_TOKEN_FILE"):
        _ = Settings(gocd_token_file=file).gocd_access_token


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_REGISTRY_URL", "")
    monkeypatch.setenv("TRACKBACK_ROLLOUT_TOKEN", "")
    settings = Settings()
    assert (settings.registry_url, settings.rollout_access_token) == (None, None)


def test_the_bases_have_the_version_of_the_project_as_their_tag() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{Settings().base_tag}"' in project


def test_the_rollout_service_is_shown_the_token(rollout: Asked, tmp_path: Path) -> None:
    release = build_release(tmp_path)
    deployment = deployment_of(release)
    for verb in ("deploy", "rollback"):
        rollout.answers[f"/models/{MODEL}/{verb}"] = deployment.to_json()
    client = Rollout(rollout.url, token="open sesame")
    assert client.deploy(MODEL, DeployRequest(release=release.digest, by="ada")) == deployment
    assert client.rollback(MODEL, RollbackRequest(by="ada", reason="prices are off")) == deployment


@pytest.mark.parametrize(("token", "found"), [(None, "no"), ("a guess", "another")])
def test_a_rollout_service_that_does_not_know_us_is_one_line_with_the_variable(
    token: str | None, found: str, rollout: Asked
) -> None:
    with pytest.raises(Refused) as refused:
        Rollout(rollout.url, token=token).rollback(MODEL, RollbackRequest(by="ada", reason="prices are off"))
    assert str(refused.value) == (
        f"expected the rollout service at {rollout.url} to know us, found {found} token: "
        "set TRACKBACK_ROLLOUT_TOKEN_FILE or TRACKBACK_ROLLOUT_TOKEN to its own"
    )


def test_status_shows_gocd_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / MODEL).mkdir()
    (tmp_path / MODEL / "model.yaml").touch()
    nothing = ModelState(model=MODEL, url=None, answering=False, live=None, previous=None)
    with Asked().listening() as service:
        service.answers[f"/models/{MODEL}"] = nothing.to_json()
        for pipeline in (MODEL, f"{MODEL}-online", f"{MODEL}-batch"):
            service.answers[f"/go/api/pipelines/{pipeline}/history?page_size=10"] = json.dumps({"pipelines": []})
        service.answers["/go/api/internal/materials"] = json.dumps({"materials": []})
        service.answers[f"/models/{MODEL}/deployments"] = "[]"
        for name, value in {"GOCD_URL": f"{service.url}/go", "ROLLOUT_URL": service.url, "MODELS": tmp_path}.items():
            monkeypatch.setenv(f"TRACKBACK_{name}", str(value))
        monkeypatch.setenv("TRACKBACK_GOCD_TOKEN", "of an operator")
        status(text=True)
    assert service.shown[f"/go/api/pipelines/{MODEL}/history?page_size=10"] == "bearer of an operator"
    assert capsys.readouterr().out == f"{MODEL}: nothing answers\n"


@pytest.mark.parametrize("behind_a_gateway", [True, False])
def test_deploy_asks_the_model_where_it_can_reach_it(behind_a_gateway: bool, rollout: Asked, tmp_path: Path) -> None:
    release = build_release(tmp_path)
    deployment = deployment_of(release)
    with Asked().listening() as gateway, Asked().listening() as model:
        (gateway if behind_a_gateway else model).headers = {names.RELEASE_HEADER: release.digest}
        state = ModelState(model=MODEL, url=model.url, answering=True, live=deployment, previous=None)
        rollout.answers = {f"/models/{MODEL}": state.to_json(), f"/models/{MODEL}/deploy": deployment.to_json()}
        settings = Settings(
            store=tmp_path,
            rollout_url=rollout.url,
            rollout_token=SecretStr("open sesame"),
            gateway_url=f"{gateway.url}/" if behind_a_gateway else None,
        )
        assert deployed(settings, release) == deployment
    found = [*gateway.shown, *model.shown]
    assert found == ([f"/models/{MODEL}/health/ready"] if behind_a_gateway else ["/health/ready"])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, None),
        ({"USERNAME": "ada"}, None),
        ({"USERNAME": "ada", "PASSWORD": "hunter2"}, "Basic YWRhOmh1bnRlcjI="),
        ({"TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"USERNAME": "ada", "TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"USERNAME": "ada", "PASSWORD": "hunter2", "TOKEN": "t0ken"}, "Basic YWRhOmh1bnRlcjI="),
    ],
)
def test_mlflow_is_shown_what_its_own_client_would_show(
    given: dict[str, str], shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    assert Settings().mlflow_authorization == shown


def test_a_follower_shows_mlflow_the_token(rollout: Asked) -> None:
    settings = Settings(mlflow_tracking_token=SecretStr("open sesame"))
    with pytest.raises(Refused, match="found: an answer without 'experiment'"):
        connect(settings, rollout.url).experiment(MODEL)
    assert [*rollout.shown.values()] == ["Bearer open sesame"]


def test_mlflow_is_found_by_the_names_of_its_own_variables_and_by_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_MLFLOW_TRACKING_URI", "http://ours.example")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example")
    assert Settings().mlflow_tracking_uri == "http://mlflow.example"
    assert Settings(mlflow_tracking_uri="http://given.example").mlflow_tracking_uri == "http://given.example"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert Settings().mlflow_tracking_uri == "http://127.0.0.1:5000"

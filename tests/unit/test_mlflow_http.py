"""MLflow's REST API as the verbs ask it: what they do when it says no, is away, or is something else."""

import base64
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.contract.errors import Refused
from services.delivery.mlflow_http import MlflowError, MlflowHttp

Handler = Callable[[httpx.Request], httpx.Response]
STORE = "/api/2.0/mlflow-artifacts/artifacts"


def mlflow(handler: Handler, url: str = "http://mlflow:5000", patience: float = 0, **more: str) -> MlflowHttp:
    return MlflowHttp(url, patience=patience, transport=httpx.MockTransport(handler), **more)


def test_what_mlflow_refuses_keeps_its_own_words() -> None:
    body = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}
    with pytest.raises(MlflowError, match="RESOURCE_DOES_NOT_EXIST: no such run") as refused:
        mlflow(lambda _: httpx.Response(404, json=body)).get("runs/get", run_id="x")
    assert refused.value.code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json=[1])])
def test_an_answer_that_is_not_mlflows_is_said_to_be_none(answer: httpx.Response) -> None:
    with pytest.raises(MlflowError, match="no answer of MLflow's"):
        mlflow(lambda _: answer).get("runs/get")


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_server_that_is_starting_is_asked_again(status: int) -> None:
    answers = iter([httpx.Response(status), httpx.Response(200, json={"run": 1})])
    assert mlflow(lambda _: next(answers), patience=60).get("runs/get") == {"run": 1}


def test_without_patience_a_server_that_is_away_is_refused_at_once() -> None:
    asked: list[str] = []

    def away(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ConnectError("connection refused")

    with pytest.raises(Refused, match=r"expected MLflow at http://mlflow:5000, cannot reach it \(connection refused\)"):
        mlflow(away).post("runs/search")
    assert len(asked) == 1


def test_an_address_that_is_no_server_is_refused() -> None:
    with pytest.raises(Refused, match="expected MLFLOW_TRACKING_URI to be the http address .* found 'sqlite:///x'"):
        MlflowHttp("sqlite:///x")


def test_credentials_go_to_the_tracking_server_and_to_no_other_host(tmp_path: Path) -> None:
    seen: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("Authorization")
        return httpx.Response(200, json={})

    client = mlflow(answer, authorization="Bearer secret")
    client.get("runs/get")
    client.download_file("mlflow-artifacts://elsewhere:80/1/file", tmp_path / "file")
    assert seen == {"mlflow": "Bearer secret", "elsewhere": None}


def test_a_login_in_the_address_is_used_and_not_shown() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(503)

    with pytest.raises(Refused) as refused:
        mlflow(answer, "http://ada:secret@mlflow:5000").get("runs/get")
    assert seen == ["Basic " + base64.b64encode(b"ada:secret").decode()]
    assert "secret" not in str(refused.value)


def listing(request: httpx.Request) -> httpx.Response:
    if request.url.path != STORE:
        return httpx.Response(200, text=f"bytes of {request.url.path.removeprefix(STORE)}")
    folders = {
        "1/m": [{"path": "MLmodel", "is_dir": False}, {"path": "data", "is_dir": True}],
        "1/m/data": [{"path": "a b#.txt", "is_dir": False}],
    }
    return httpx.Response(200, json={"files": folders[request.url.params["path"]]})


def test_a_folder_is_downloaded_with_what_is_in_its_folders(tmp_path: Path) -> None:
    mlflow(listing).download_folder("mlflow-artifacts:/1/m", tmp_path)
    assert (tmp_path / "MLmodel").read_text() == "bytes of /1/m/MLmodel"
    assert (tmp_path / "data" / "a b#.txt").read_text() == "bytes of /1/m/data/a b#.txt"


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "a/../../x"])
def test_a_listing_that_leads_out_of_the_folder_is_refused_and_nothing_is_written(path: str, tmp_path: Path) -> None:
    files = {"files": [{"path": path, "is_dir": False}]}
    with pytest.raises(MlflowError, match="no artifact's path"):
        mlflow(lambda _: httpx.Response(200, json=files)).download_folder("mlflow-artifacts:/1/m", tmp_path / "in")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_and_mlflow_is_not_blamed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"expected to write MLmodel, cannot: ") as refused:
        mlflow(listing).download_file("mlflow-artifacts:/1/m/MLmodel", tmp_path / "file" / "MLmodel")
    assert "MLflow" not in str(refused.value)

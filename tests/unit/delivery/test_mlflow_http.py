"""MLflow's REST API as the verbs ask it: what they do when it says no, is away, or is something else."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.contract.errors import Refused
from services.delivery.clients.mlflow_http import MlflowError, MlflowHttp

Handler = Callable[[httpx.Request], httpx.Response]
STORE = "/api/2.0/mlflow-artifacts/artifacts"


def mlflow(
    handler: Handler, url: str = "http://mlflow:5000", authorization: str | None = None, patience: float = 0
) -> MlflowHttp:
    return MlflowHttp(url, authorization, patience=patience, transport=httpx.MockTransport(handler))


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


@pytest.mark.parametrize("url", ["sqlite:///x", "http://", "mlflow:5000", "http://ada:secret@[::1", "http://x:port"])
def test_an_address_that_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="expected MLFLOW_TRACKING_URI to be the http address .* found '") as refused:
        MlflowHttp(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "authorization", "sent"),
    [
        ("http://mlflow:5000", "Bearer secret", "Bearer secret"),
        ("http://ada:hunter2@mlflow:5000", None, "Basic " + base64.b64encode(b"ada:hunter2").decode()),
        ("http://ada:p%40ss@mlflow:5000", "Bearer secret", "Basic " + base64.b64encode(b"ada:p@ss").decode()),
    ],
)
def test_credentials_go_to_the_tracking_server_and_to_no_other_host(
    url: str, authorization: str | None, sent: str, tmp_path: Path
) -> None:
    seen: dict[tuple[str, int | None], str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host, request.url.port] = request.headers.get("Authorization")
        return httpx.Response(200, json={})

    client = mlflow(answer, url, authorization)
    client.get("runs/get")
    client.download_file("mlflow-artifacts://elsewhere:80/1/file", tmp_path / "file")
    client.upload("mlflow-artifacts://mlflow:5001/1/file", b"1")
    assert seen == {("mlflow", 5000): sent, ("elsewhere", None): None, ("mlflow", 5001): None}


@pytest.mark.parametrize("token", ["secret\n", "sécret"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(Refused, match="expected a token of MLflow in printable ASCII") as refused:
        MlflowHttp("http://mlflow:5000", f"Bearer {token}")
    assert token.strip() not in str(refused.value)


def test_a_redirect_is_a_no_and_nobody_is_asked_at_its_address() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "http://elsewhere/login"})

    with pytest.raises(MlflowError, match="302: Found: it sends to http://elsewhere/login"):
        mlflow(answer, authorization="Bearer secret").get("runs/get")
    assert asked == ["mlflow"]


def test_a_login_in_the_address_is_not_shown() -> None:
    client = mlflow(lambda request: httpx.Response(int(request.url.params["status"])), "http://ada:secret@mlflow:5000")
    for status in ("503", "404"):
        with (
            pytest.raises(Refused, match="MLflow at http://mlflow:5000, ") as refused,
            client.expecting("it"),
        ):
            client.get("runs/get", status=status)
        assert "secret" not in str(refused.value)


def test_an_answer_that_cannot_be_unpacked_is_refused() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))

    with pytest.raises(Refused, match="expected MLflow at http://mlflow:5000, cannot reach it"):
        mlflow(answer).get("runs/get")


def test_artifacts_at_no_address_are_a_no(tmp_path: Path) -> None:
    with pytest.raises(MlflowError, match="no address"):
        mlflow(listing).download_file("mlflow-artifacts://host:port/1/m", tmp_path / "m")


def test_the_pages_of_a_search_are_asked_for_as_they_are_wanted() -> None:
    asked: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content).get("page_token"))
        return httpx.Response(200, json={"next_page_token": f"after {len(asked)}"} if len(asked) < 3 else {})

    pages = mlflow(answer).pages("runs/search", max_results=1)
    next(pages)
    assert asked == [None]
    assert list(pages) == [{"next_page_token": "after 2"}, {}]
    assert asked == [None, "after 1", "after 2"]


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

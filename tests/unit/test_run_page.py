"""An MLflow that is not there keeps nothing from happening, and is mentioned."""

from pathlib import Path

import pytest

from services.contract.deployment import DeployRequest
from services.contract.errors import Refused
from services.delivery.mlflow_rest import MlflowRest
from services.delivery.rollback import rollback
from services.delivery.rollout_client import Rollout
from services.delivery.run_page import tell_verdict
from services.delivery.settings import Settings
from tests.delivery_bench import rollout_service
from tests.release_factory import ReleasePlan, build_release
from tests.rollout_stage import MODEL, three_releases
from tests.web_receiver import Receiver, receiving

NOWHERE = "http://127.0.0.1:9"


def test_a_rollback_goes_on_without_mlflow_and_says_how_the_alias_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = three_releases(tmp_path / "store")
    with rollout_service(tmp_path / "rollout", tmp_path / "store") as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
        monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", url)
        client = Rollout(url)
        for digest in digests[:2]:
            client.deploy(MODEL, DeployRequest(release=digest, by="ada"))
        rollback(MODEL, reason="prices are off", who="grace")
        live = client.state(MODEL).live
    assert live
    assert live.release == digests[0]
    said = capsys.readouterr().err
    assert "note: the alias 'champion' of diamond-price was not moved (expected MLflow at http://127.0.0.1:9" in said
    assert "run the stage deploy of 1-aaaaaaaa again" in said


@pytest.mark.parametrize("url", [NOWHERE, "sqlite:///mlflow.db"])
def test_a_verdict_that_mlflow_cannot_be_told_is_a_note(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = build_release(tmp_path, ReleasePlan()).manifest
    tell_verdict(Settings(mlflow_tracking_uri=url), manifest.candidate, manifest.validation, {})
    assert capsys.readouterr().err.startswith("note: the run's page in MLflow does not tell of this yet (expected ML")


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, b"{}"), (200, b"[]"), (500, b"{}"), (200, b'{"run": 1}')])
def test_an_answer_that_is_not_mlflows_is_a_note_too(
    answer: tuple[int, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = build_release(tmp_path, ReleasePlan()).manifest
    with receiving(Receiver(lambda *_: answer)) as receiver:
        tell_verdict(Settings(mlflow_tracking_uri=receiver.url), manifest.candidate, manifest.validation, {})
    assert capsys.readouterr().err.startswith("note: ")


def test_mlflows_credentials_are_sent_and_never_told() -> None:
    with receiving(Receiver(lambda *_: (403, b"{}"))) as receiver:
        place = receiver.url.removeprefix("http://")
        with pytest.raises(Refused) as refused:
            MlflowRest(f"http://ada:hunter2@{place}", {}).run("a" * 32)
        for environment, sent in (
            ({"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "hunter2"}, "Basic YWRhOmh1bnRlcjI="),
            ({"MLFLOW_TRACKING_TOKEN": "t0ken"}, "Bearer t0ken"),
        ):
            with pytest.raises(Refused):
                MlflowRest(receiver.url, environment).run("a" * 32)
            assert receiver.headers[-1]["Authorization"] == sent
    assert receiver.headers[0]["Authorization"] == "Basic YWRhOmh1bnRlcjI="
    assert "hunter2" not in str(refused.value)

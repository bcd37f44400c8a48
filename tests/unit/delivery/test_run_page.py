"""An MLflow that is not there keeps nothing from happening, and is mentioned."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.contract import names
from services.contract.deployment import DeployRequest
from services.contract.verdict import Verdict
from services.delivery.clients.rollout_client import Rollout
from services.delivery.reports.in_short import in_short
from services.delivery.reports.run_page import note, tell_live, tell_verdict
from services.delivery.settings import Settings
from services.delivery.verbs.rollback import rollback
from tests.support.delivery_bench import rollout_service
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.report_evidence import case
from tests.support.rollout_fakes import MODEL, three_releases
from tests.support.web_receiver import Receiver, receiving

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


def test_what_validate_measured_is_a_group_of_metrics_of_the_run(tmp_path: Path) -> None:
    manifest = build_release(tmp_path, ReleasePlan()).manifest
    info = {
        "run_id": "a" * 32,
        "experiment_id": "1",
        "status": "FINISHED",
        "lifecycle_stage": "active",
        "artifact_uri": "",
    }
    with receiving(Receiver(lambda *_: (200, json.dumps({"run": {"info": info}}).encode()))) as receiver:
        measured = manifest.validation.model_copy(update={"metrics": {"r2_score": 0.9, "mean_absolute_error": 300.0}})
        tell_verdict(Settings(mlflow_tracking_uri=receiver.url), manifest.candidate, measured, {})
    (written,) = [found for _, _, body in receiver.got if (found := json.loads(body or b"{}").get("metrics"))]
    assert {one["key"]: one["value"] for one in written} == {
        "holdout/r2_score": 0.9,
        "holdout/mean_absolute_error": 300.0,
    }
    assert {one.get("model_id") for one in written} == {manifest.candidate.promotion.model_id}


def test_a_note_cuts_what_its_tag_says_in_full_because_every_poll_reads_it() -> None:
    tags = dict.fromkeys((names.VALIDATION_TAG, names.COMPARISON_TAG), f"2-ac1378b5 fail: {'far too long ' * 18}")
    written = note("", tags)
    assert f"| compare | {tags[names.COMPARISON_TAG][:80]}… |" in written
    assert len(written) < 420


def test_a_run_is_told_what_did_not_pass_with_expected_and_found_and_of_a_pass_how_many_checks() -> None:
    failed, passed = (case("regression", verdict).validation for verdict in (Verdict.FAIL, Verdict.PASS))
    stopped = next(one for one in failed.checks if one.stops)
    assert in_short(failed) == f"mean_absolute_error: expected {stopped.expected}, found {stopped.found}"
    # Fourteen, and one of them is switched off.
    assert in_short(passed) == "all 13 checks passed"


@pytest.mark.parametrize("deployments", ["<html>", "[1]", "1"])
def test_a_rollout_service_that_is_none_is_a_note_too(deployments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with receiving(Receiver(lambda *_: (200, deployments.encode()))) as receiver:
        tell_live(Settings(mlflow_tracking_uri=NOWHERE), Rollout(receiver.url), MODEL)
    assert capsys.readouterr().err.startswith("note: ")


def test_each_thing_is_asked_once_with_the_credentials_of_mlflows_client(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = build_release(tmp_path, ReleasePlan()).manifest
    with receiving(Receiver(lambda *_: (503, b"not yet"))) as receiver:
        settings = Settings(mlflow_tracking_uri=receiver.url, mlflow_tracking_token=SecretStr("t0ken"))
        tell_verdict(settings, manifest.candidate, manifest.validation, {"a.html": b"a"})
    assert [asked for asked, *_ in receiver.got] == ["GET"]
    assert receiver.headers[0]["Authorization"] == "Bearer t0ken"
    assert "t0ken" not in capsys.readouterr().err

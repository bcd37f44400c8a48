"""What a data scientist sees in a real MLflow after a delivery: tags, a note and reports on the run and its version."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from services.contract import names
from services.contract.candidate import PipelineRef
from services.contract.deployment import DeployRequest
from services.contract.receipt import Receipt
from services.contract.release import Release
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict
from services.delivery.clients.rollout_client import Rollout
from services.delivery.reports.aliases import tell_aliases
from services.delivery.reports.run_page import tell_batch, tell_live, tell_release, tell_verdict
from services.delivery.settings import Settings
from services.delivery.verbs.retire import retire
from services.delivery.verbs.rollback import rollback
from tests.support.delivery_bench import rollout_service
from tests.support.receipts import receipt_of
from tests.support.release_factory import WHEN, ReleasePlan, build_release

MODEL = "diamond-price"
OWN = "Trees of depth 3.\n\nSee the notebook."


@dataclass(frozen=True)
class Desk:
    """Two releases of two runs, both with a version of the registered model."""

    client: MlflowClient
    settings: Settings
    rollout: Rollout
    releases: list[Release]

    def tags(self, release: Release) -> dict[str, str]:
        tags: dict[str, str] = self.client.get_run(release.manifest.candidate.promotion.run_id).data.tags
        return tags

    def aliases(self) -> dict[str, str]:
        """The versions that they point at."""
        found = self.client.get_registered_model(MODEL).aliases
        return {name: str(version) for name, version in found.items()}

    def deploy(self, release: Release) -> None:
        self.rollout.deploy(MODEL, DeployRequest(release=release.digest, by="ada"))
        tell_live(self.settings, self.rollout, MODEL)

    def validated(self, release: Release, verdict: Verdict) -> Validation:
        check = Check(name="r2_score", verdict=verdict, expected="≥ 0.8", found="0.1")
        return release.manifest.validation.model_copy(update={"verdict": verdict, "checks": (check,)})


def release_of(client: MlflowClient, experiment: str, store: Path, number: int) -> Release:
    run = client.create_run(experiment, run_name="boosted")
    client.set_terminated(run.info.run_id)
    client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
    plan = ReleasePlan(number=number, run=run.info.run_id)
    return build_release(store, plan)


@pytest.fixture
def desk(mlflow_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    client = MlflowClient(mlflow_url)
    experiment = client.create_experiment(tmp_path.name)
    if not client.search_registered_models(f"name='{MODEL}'"):
        client.create_registered_model(MODEL)
    releases = [release_of(client, experiment, tmp_path / "store", number) for number in (1, 2)]
    with rollout_service(tmp_path / "rollout", tmp_path / "store") as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
        monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", url)
        yield Desk(client, Settings(), Rollout(url), releases)


def test_a_delivery_is_short_tags_a_note_beside_ones_own_and_reports(desk: Desk, tmp_path: Path) -> None:
    release = desk.releases[0]
    instance = PipelineRef(name=MODEL, counter=7, label=release.manifest.revision)
    candidate = release.manifest.candidate.model_copy(update={"pipeline": instance})
    run_id = candidate.promotion.run_id
    desk.client.set_tag(run_id, names.NOTE_TAG, OWN)
    validation = desk.validated(release, Verdict.PASS)
    reports = {names.VALIDATION_PAGE: b"<p>all well", names.VALIDATION_FILE: validation.to_json().encode()}
    tell_verdict(desk.settings, candidate, validation, reports)
    tell_verdict(desk.settings, candidate, release.manifest.comparison, {})
    tell_release(desk.settings, release)
    tags, revision = desk.tags(release), release.manifest.revision
    assert tags["trackback.validation"] == f"{revision} pass: the one check passed"
    assert tags["trackback.comparison"] == f"{revision} pass: the first one"
    assert tags["trackback.release"] == f"{revision} {release.digest[:12]}"
    pipeline = "http://127.0.0.1:8153/go/pipelines/value_stream_map/diamond-price/7"
    assert tags["trackback.pipeline"] == pipeline
    note = tags["mlflow.note.content"]
    assert note.startswith(f"{OWN}\n\n<!-- trackback: begin -->\n**Delivery**")
    assert f"| compare | {revision} pass: the first one |" in note
    assert f"| pipeline | [diamond-price/7]({pipeline}) |" in note
    assert note.count("<!-- trackback: begin -->") == 1
    found = desk.client.download_artifacts(run_id, f"trackback/{revision}", str(tmp_path))
    assert sorted(path.name for path in Path(found).iterdir()) == ["validation.html", "validation.json"]
    assert json.loads((Path(found) / "validation.json").read_text())["verdict"] == "pass"


def test_a_batch_is_a_tag_and_its_receipt_beside_the_reports(desk: Desk, tmp_path: Path) -> None:
    release = desk.releases[0]
    manifest = release.manifest
    receipt = receipt_of(release, rejected={"column 'carat': expected a number, found null": 1}, engine="spark")
    tell_batch(desk.settings, receipt)
    told = f"{manifest.revision} 9 rows scored, 1 rejected, by spark, {WHEN:%Y-%m-%d %H:%M:%S} UTC"
    assert desk.tags(release)["trackback.batch"] == told
    assert f"| batch | {told} |" in desk.tags(release)["mlflow.note.content"]
    folder = f"trackback/{manifest.revision}/batch"
    found = desk.client.download_artifacts(
        receipt.run_id, f"{folder}/{WHEN:%Y%m%dT%H%M%SZ}-receipt.json", str(tmp_path)
    )
    assert Receipt.read(Path(found)) == receipt


def test_a_gate_that_says_no_is_seen_on_the_run(desk: Desk) -> None:
    release = desk.releases[1]
    tell_verdict(desk.settings, release.manifest.candidate, desk.validated(release, Verdict.FAIL), {})
    told = "fail: r2_score: expected ≥ 0.8, found 0.1"
    assert desk.tags(release)["trackback.validation"] == f"{release.manifest.revision} {told}"


def test_a_rollback_moves_the_alias_and_tells_both_runs_and_versions_since_and_until_when(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = desk.releases
    desk.client.set_tag(first.manifest.candidate.promotion.run_id, names.NOTE_TAG, OWN)
    desk.deploy(first)
    desk.deploy(second)
    assert " until " in desk.tags(first)["trackback.live"]
    version = desk.client.search_model_versions(f"run_id='{second.manifest.candidate.promotion.run_id}'")[0]
    desk.client.set_registered_model_alias(MODEL, "champion", version.version)
    rollback(MODEL, reason="prices are off", who="grace")
    back = desk.client.get_model_version_by_alias(MODEL, "champion")
    assert back.run_id == first.manifest.candidate.promotion.run_id
    assert f"alias 'champion' of {MODEL} is version {back.version}" in capsys.readouterr().err
    live = desk.rollout.state(MODEL).live
    assert live
    since = f"{first.manifest.revision} since {live.at:%Y-%m-%d %H:%M:%S} UTC"
    assert desk.tags(first)["trackback.live"] == back.tags["trackback.live"] == since
    assert str(back.description).startswith(f"{OWN}\n\n<!-- trackback: begin -->")
    assert f"| live | {since} |" in str(back.description)
    left = desk.tags(second)["trackback.live"]
    assert left.startswith(f"{second.manifest.revision} since ")
    assert left.endswith(f" until {live.at:%Y-%m-%d %H:%M:%S} UTC")
    assert desk.tags(second)["trackback.live.until"] == f"{live.at:%Y-%m-%dT%H:%M:%SZ}"
    assert desk.tags(first)["trackback.live.since"] == f"{live.at:%Y-%m-%dT%H:%M:%SZ}"
    assert desk.tags(first).get("trackback.live.until", "") == ""


def test_aliases_say_what_answers_what_did_and_what_may_be_next_and_a_retired_model_has_no_champion(desk: Desk) -> None:
    first, second = desk.releases
    runs = [one.manifest.candidate.promotion.run_id for one in desk.releases]
    versions = [desk.client.search_model_versions(f"run_id='{run}'")[0].version for run in runs]
    desk.client.set_registered_model_alias(MODEL, "champion", versions[0])
    desk.client.set_registered_model_alias(MODEL, "candidate", versions[1])
    desk.deploy(first)
    tell_aliases(desk.settings, desk.rollout, MODEL)
    assert desk.aliases() == {"champion": versions[0], "candidate": versions[1]}
    desk.deploy(second)
    tell_aliases(desk.settings, desk.rollout, MODEL)
    assert desk.aliases() == {"champion": versions[0], "previous": versions[0]}
    retire(MODEL, reason="nobody asks it", who="grace")
    assert desk.aliases() == {"previous": versions[0]}
    retired = desk.rollout.state(MODEL).retired
    assert retired
    assert desk.tags(second)["trackback.live.until"] == f"{retired.at:%Y-%m-%dT%H:%M:%SZ}"

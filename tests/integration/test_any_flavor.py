"""The model of docs/bring-your-own-model.md that brings its packages: trained, judged and served where they are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from services.contract import names
from services.contract.release import Release
from services.contract.trace import Trace
from services.contract.verdict import Verdict
from services.delivery.settings import Settings
from tests.support.paths import ROOT
from tests.support.rollout_service import RolloutService, running
from tests.support.to_release import release_of
from training.job import TrainedRun

MODEL = "diabetes-neighbours"
SECTION = (ROOT / "docs" / "bring-your-own-model.md").read_text().split("# Any other MLflow flavor")[1]
QUESTION = {"dataframe_records": [{"age": 0.038, "bmi": 0.062, "bp": 0.022, "s5": 0.02}]}


def files() -> dict[str, str]:
    """The code of the section, by the file that is named before it."""
    parts = re.split(r"```\w*\n(.*?)```", SECTION, flags=re.DOTALL)
    return {
        re.findall(r"`(training/[\w./-]+)`", said)[0]: code
        for said, code in zip(parts[:-1:2], parts[1::2], strict=True)
    }


@pytest.fixture
def settings(tmp_path: Path, mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a folder in which somebody followed the section. What is set up there is not among our own environments."""
    for path, code in files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(code)
    for name, value in {
        "MLFLOW_TRACKING_URI": mlflow_url,
        "TRACKBACK_MODELS": tmp_path / "training" / "models",
        "TRACKBACK_STORE": tmp_path / "store",
        "TRACKBACK_ENVIRONMENTS": tmp_path / "environments",
    }.items():
        monkeypatch.setenv(name, str(value))
    return Settings()


def trained() -> TrainedRun:
    command = [str(ROOT / ".venv" / "training" / "bin" / "python"), "-P", "-m", "training", "train", MODEL]
    # What is compiled in the new environment serves all that follow.
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "setting up the model's own environment 'lock-" in done.stderr
    return TrainedRun.from_json(done.stdout)


def answer(settings: Settings, folder: Path, release: Release) -> tuple[float, Trace]:
    """Of the release as the rollout service serves it, and where it came from."""
    folder.mkdir()
    places = {"STORE": settings.store, "ENVIRONMENTS": settings.environments, "LOAD_SECONDS": 300}
    rollout = RolloutService(folder, places)
    rollout.store = settings.store
    with running(rollout):
        done = rollout.http.post(f"/models/{MODEL}/deploy", json={"release": release.digest, "by": "ada"})
        assert done.status_code == 200, done.text
        url = rollout.http.get(f"/models/{MODEL}").json()["url"]
        said = httpx.post(f"{url}/invocations", json=QUESTION, timeout=60, trust_env=False)
        assert said.headers[names.RELEASE_HEADER] == release.digest
        return float(said.json()["predictions"][0]), traced(str(rollout.http.base_url))


def traced(rollout: str) -> Trace:
    variables = {
        **os.environ,
        "TRACKBACK_ROLLOUT_URL": rollout.rstrip("/"),
        "TRACKBACK_GOCD_URL": "http://127.0.0.1:9/go",
    }
    command = [sys.executable, "-m", "services.delivery", "trace", MODEL]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return Trace.from_json(done.stdout)


def test_a_model_with_packages_of_its_own_is_trained_judged_and_served_in_their_environment(
    settings: Settings, tmp_path: Path
) -> None:
    run = trained()
    release = release_of(settings, run)
    manifest = release.manifest
    assert manifest.validation.verdict is Verdict.PASS, manifest.validation.checks
    assert manifest.servable.form, manifest.servable.notes
    assert (manifest.library, manifest.servable.form.runtime) == ("pyfunc", "pyfunc")
    assert "served by its own environment: slower" in manifest.servable.notes[0]
    assert manifest.candidate.run.environment
    assert manifest.candidate.run.environment.lock == names.LOCK_FILE
    (environment,) = (tmp_path / "environments").glob("lock-*")
    lock = settings.store / "releases" / release.digest / "model" / names.LOCK_FILE
    assert lock.read_bytes() == (environment / names.LOCK_FILE).read_bytes()
    assert "\nkdtree==" in lock.read_text()
    assert list((environment / "lib").glob("*/site-packages/kdtree.py"))
    number, trace = answer(settings, tmp_path / "rollout", release)
    # The mean of 20 patients' progress, which is a whole number each.
    assert 20 * number == pytest.approx(round(20 * number))
    assert (trace.candidate.run.run_id, trace.candidate.run.environment) == (
        run.run_id,
        manifest.candidate.run.environment,
    )

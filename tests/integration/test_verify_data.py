"""verify-data on runs in a real MLflow: passes, then names what was changed since."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import httpx
import mlflow
import pytest
from mlflow.tracking import MlflowClient

from services.contract import names
from services.contract.errors import Refused
from tests.support.paths import ROOT
from training.job import TrainedRun, TrainRequest, train
from training.verify import VerifiedData, VerifyRequest, verify

MODELS = ROOT / "training" / "models"
MODEL = "diamond-price"
CSV = "plotnine/data/diamonds.csv"
ENVIRONMENTS = ROOT / ".venv"


@dataclass(frozen=True)
class Site:
    """A copy of what verify-data needs of the installed plotnine, ahead of the real one."""

    folder: Path
    csv: Path = field(init=False)
    record: Path = field(init=False)

    def __post_init__(self) -> None:
        package = metadata.distribution("plotnine")
        object.__setattr__(self, "csv", self.folder / CSV)
        object.__setattr__(self, "record", self.folder / f"plotnine-{package.version}.dist-info")
        self.csv.parent.mkdir(parents=True)
        shutil.copyfile(str(package.locate_file(CSV)), self.csv)
        shutil.copytree(str(package.locate_file(self.record.name)), self.record)


@pytest.fixture(scope="module")
def trained(mlflow_url: str) -> TrainedRun:
    mlflow.set_tracking_uri(mlflow_url)
    return train(TrainRequest(MODELS, MODEL, "linear"), lambda _: None)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Site(tmp_path / "site")


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = Path(str(metadata.distribution("plotnine").locate_file(CSV))).read_text().splitlines(keepends=True)
    file = tmp_path_factory.mktemp("own") / "mine.csv"
    file.write_text("".join(lines[:400]))
    return file


@pytest.fixture(scope="module")
def trained_on_own_file(mlflow_url: str, own_file: Path) -> TrainedRun:
    mlflow.set_tracking_uri(mlflow_url)
    return train(TrainRequest(MODELS, MODEL, "linear", own_file), lambda _: None)


def asked(run: TrainedRun, csv: Path | None = None, models: Path = MODELS) -> VerifiedData | list[str]:
    return verify(VerifyRequest(models, run.run_id, csv, ENVIRONMENTS), lambda _: None)


def command(mlflow_url: str, *arguments: str, path: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    variables = {"PATH": os.environ["PATH"], "HOME": "/", "MLFLOW_TRACKING_URI": mlflow_url}
    return subprocess.run(
        [sys.executable, "-m", "training", "verify-data", *arguments],
        env={**variables, "PYTHONPATH": f"{path}:{ROOT}", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_data_that_is_as_it_was_is_verified_and_told_as_json(mlflow_url: str, trained: TrainedRun) -> None:
    done = command(mlflow_url, trained.run_id)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["run_id"], found["model"]) == (trained.run_id, MODEL)
    assert found["training"]["sha256"] == trained.training_sha256
    assert found["holdout"]["sha256"] == trained.holdout_sha256
    assert found["sources"]["packages"] == {"plotnine": metadata.version("plotnine")}


def test_one_changed_byte_of_a_package_names_the_file_and_exits_1(
    mlflow_url: str, trained: TrainedRun, site: Site
) -> None:
    content = bytearray(site.csv.read_bytes())
    content[1000] ^= 1
    site.csv.write_bytes(content)
    done = command(mlflow_url, trained.run_id, path=site.folder)
    assert (done.returncode, done.stdout) == (1, "")
    (problem,) = [line for line in done.stderr.splitlines() if "expected" in line]
    assert problem.startswith(f"file {CSV}: expected SHA-256 ")


def test_an_untouched_copy_of_the_package_is_verified(trained: TrainedRun, site: Site) -> None:
    assert site.csv.is_file()
    assert isinstance(asked(trained), VerifiedData)


def test_a_missing_file_of_a_package_is_named(trained: TrainedRun, site: Site) -> None:
    site.csv.unlink()
    (problem,) = asked(trained)
    assert str(problem).startswith(f"file {CSV}: expected SHA-256 ")
    assert str(problem).endswith("as the run recorded, found no such file")


def test_a_package_of_another_version_is_named_although_the_files_are_the_same(trained: TrainedRun, site: Site) -> None:
    version = metadata.version("plotnine")
    meta = site.record / "METADATA"
    meta.write_text(meta.read_text().replace(f"\nVersion: {version}\n", "\nVersion: 9.9\n"))
    assert asked(trained) == [f"package plotnine: expected version {version} as the run recorded, found 9.9"]


def changed_model(tmp_path: Path, file: str, old: str, new: str) -> Path:
    shutil.copytree(MODELS / MODEL, tmp_path / "models" / MODEL)
    path = tmp_path / "models" / MODEL / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return tmp_path / "models"


def test_an_extra_file_is_named(trained: TrainedRun, tmp_path: Path) -> None:
    models = changed_model(tmp_path, "model.yaml", CSV, "plotnine/data/*s.csv")
    problems = asked(trained, models=models)
    assert any(str(line).startswith("file plotnine/data/economics.csv: expected no such file") for line in problems)


def test_other_columns_in_model_yaml_are_named(trained: TrainedRun, tmp_path: Path) -> None:
    models = changed_model(tmp_path, "model.yaml", "holdout_percent: 20", "holdout_percent: 30")
    assert asked(trained, models=models) == [
        "model.yaml: data.holdout_percent: expected 20 as the run recorded, found 30"
    ]


def test_rows_that_are_made_otherwise_from_the_same_files_fail_both_digests(
    trained: TrainedRun, tmp_path: Path
) -> None:
    models = changed_model(
        tmp_path, "data.py", "read_csv(diamonds)", "read_csv(diamonds).drop(index=[0, 1, 2, 3, 4, 5])"
    )
    problems = [str(problem) for problem in asked(trained, models=models)]
    assert problems[0].startswith(
        f"{names.TRAINING_DATA_TAG}: expected SHA-256 {trained.training_sha256} of 43206 rows"
    )
    assert all(problem.startswith("trackback.data.") for problem in problems)


def test_the_file_that_a_run_was_trained_with_must_be_given_again(
    trained_on_own_file: TrainedRun, own_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        Refused, match=r"expected the file mine\.csv that the run was trained with.*give it with --data"
    ):
        asked(trained_on_own_file)
    renamed = tmp_path / "renamed.csv"
    renamed.write_bytes(own_file.read_bytes())
    found = asked(trained_on_own_file, renamed)
    assert isinstance(found, VerifiedData)
    assert found.training.rows + found.holdout.rows == 399
    renamed.write_bytes(own_file.read_bytes().replace(b"326", b"327", 1))
    (problem,) = asked(trained_on_own_file, renamed)
    assert str(problem).startswith("file mine.csv: expected SHA-256 ")


def test_a_file_for_a_run_that_had_none_is_refused(trained: TrainedRun, own_file: Path) -> None:
    with pytest.raises(Refused, match="expected no file, because the run was trained without one, found .*mine.csv"):
        asked(trained, own_file)


def test_a_list_of_files_that_was_changed_in_the_artifact_store_is_refused(
    mlflow_url: str, trained: TrainedRun
) -> None:
    experiment = MlflowClient(mlflow_url).get_run(trained.run_id).info.experiment_id
    path = f"{experiment}/{trained.run_id}/artifacts/{names.SOURCES_ARTIFACT}"
    url = f"{mlflow_url}/api/2.0/mlflow-artifacts/artifacts/{path}"
    before = httpx.get(url).raise_for_status().text
    digest = json.loads(before)["files"][0]["sha256"]
    httpx.put(url, content=before.replace(digest, "0" * 64)).raise_for_status()
    try:
        with pytest.raises(Refused, match="expected data/sources.json of run .* found another list: it was changed"):
            asked(trained)
    finally:
        httpx.put(url, content=before).raise_for_status()


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        ("yesterday", "expected a run id of 32 hex digits, found 'yesterday': copy it from the run's page in MLflow"),
        ("f" * 32, f"expected the run {'f' * 32} in MLflow at "),
    ],
)
def test_a_run_that_is_not_there_is_one_line(mlflow_url: str, run: str, complaint: str) -> None:
    done = command(mlflow_url, run)
    assert done.returncode == 1
    assert done.stderr.startswith(complaint)
    assert done.stderr.count("\n") == 1


def test_an_mlflow_that_is_down_is_one_line() -> None:
    done = command("http://127.0.0.1:9", "f" * 32)
    assert done.returncode == 1
    assert done.stderr.startswith("expected MLflow at http://127.0.0.1:9, cannot reach it (")
    assert done.stderr.count("\n") == 1


def test_a_run_of_another_origin_is_refused_by_the_tag_that_it_lacks(mlflow_url: str, trained: TrainedRun) -> None:
    client = MlflowClient(mlflow_url)
    bare = client.create_run(client.get_run(trained.run_id).info.experiment_id).info.run_id
    client.set_terminated(bare)
    with pytest.raises(Refused, match=f"expected the tag {names.PROVENANCE_TAG} on run {bare}, found none"):
        verify(VerifyRequest(MODELS, bare, None, ENVIRONMENTS), lambda _: None)

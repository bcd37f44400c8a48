"""A run in a real MLflow: everything that went into it, each fact against a source that is not the training job."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.model_utils import env_var_tracker
from sklearn.metrics import mean_absolute_error

from services.contract import names
from services.contract.errors import Refused
from services.contract.estimator import load_estimator
from tests.support.paths import ROOT
from training.job import TrainedRun, TrainRequest, train

MODELS = ROOT / "training" / "models"
MODEL = "diamond-price"
SITE = Path(str(metadata.distribution("plotnine").locate_file("")))
CSV = "plotnine/data/diamonds.csv"


@dataclass(frozen=True)
class Trained:
    """A run of the model's own data, as MLflow has it, with its artifacts and its model on disk."""

    told: list[str]
    printed: TrainedRun
    run: Run
    artifacts: Path
    model: Path

    @property
    def provenance(self) -> dict[str, dict[str, object]]:
        return dict(json.loads((self.artifacts / names.PROVENANCE_ARTIFACT).read_text()))


def datasets(run: Run) -> dict[str, Any]:
    """By what each is for."""
    assert run.inputs
    return {item.tags[0].value: item.dataset for item in run.inputs.dataset_inputs}


def sha256sum(path: Path) -> str:
    return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.fixture(scope="module")
def client(mlflow_url: str) -> Iterator[MlflowClient]:
    mlflow.set_tracking_uri(mlflow_url)
    yield MlflowClient(mlflow_url)


@pytest.fixture(scope="module")
def trained(client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    told: list[str] = []
    mlflow.set_system_metrics_sampling_interval(0.2)  # type: ignore[no-untyped-call]
    printed = train(TrainRequest(MODELS, MODEL, "boosted"), told.append)
    mlflow.set_system_metrics_sampling_interval(None)  # type: ignore[no-untyped-call]
    folder = tmp_path_factory.mktemp("run")
    (folder / "run").mkdir()
    (folder / "model").mkdir()
    artifacts = client.download_artifacts(printed.run_id, "", str(folder / "run"))
    model = mlflow.artifacts.download_artifacts(f"models:/{printed.model_id}", dst_path=str(folder / "model"))
    return Trained(told, printed, client.get_run(printed.run_id), Path(artifacts), Path(model))


def test_the_package_file_has_its_own_digest(trained: Trained) -> None:
    sources = json.loads((trained.artifacts / "data" / "sources.json").read_text())
    expected = sha256sum(SITE / CSV)
    size = (SITE / CSV).stat().st_size
    assert sources["files"] == [{"path": CSV, "size": size, "sha256": expected}]
    assert sources["packages"] == {"plotnine": next(SITE.glob("plotnine-*.dist-info")).name.split("-")[1][:-5]}
    assert trained.provenance["sources"] == {
        "packages": sources["packages"],
        "files": 1,
        "sha256": hashlib.sha256(f"{CSV}\0{size}\0{expected}\n".encode()).hexdigest(),
    }


def test_both_sides_of_the_data_are_digested_and_counted(trained: Trained) -> None:
    pinned = yaml.safe_load((MODELS / MODEL / "model.yaml").read_text())["data"]["holdout_sha256"]
    training, holdout = trained.provenance["training"], trained.provenance["holdout"]
    assert sha256sum(trained.artifacts / "data" / "holdout.csv") == holdout["sha256"] == pinned
    rows = (SITE / CSV).read_text().count("\n") - 1
    assert training["rows"] + holdout["rows"] == rows == 53940  # type: ignore[operator]
    assert (trained.artifacts / "data" / "holdout.csv").read_text().count("\n") - 1 == holdout["rows"]
    assert (trained.printed.training_sha256, trained.printed.holdout_sha256) == (training["sha256"], pinned)
    assert trained.provenance["data_schema"]["columns"] == {
        "carat": "double", "cut": "string", "color": "string", "clarity": "string", "depth": "double",
        "table": "double", "x": "double", "y": "double", "z": "double",
    }  # fmt: skip


def test_the_code_is_the_commit_and_the_files(trained: Trained) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert trained.run.data.tags["mlflow.source.git.commit"] == commit.strip()
    assert trained.run.data.tags[names.GIT_DIRTY_TAG] in ("true", "false")
    logged = {
        path.relative_to(trained.artifacts / "code").as_posix() for path in trained.artifacts.rglob("code/**/*.*")
    }
    assert {"model.yaml", "data.py", "train.py", "training/job.py", "training/flavors/sklearn.py"} <= logged
    assert not [name for name in logged if name.endswith(".pyc")]
    assert (trained.artifacts / "code" / "data.py").read_bytes() == (MODELS / MODEL / "data.py").read_bytes()


def test_the_environment_and_the_machine_are_told(trained: Trained) -> None:
    environment, machine = trained.provenance["environment"], trained.provenance["machine"]
    packages = trained.artifacts / "environment" / "packages.txt"
    assert environment["sha256"] == sha256sum(packages)
    assert environment["packages"] == len(packages.read_text().splitlines()) == len(list(SITE.glob("*.dist-info")))
    # No lock is named where somebody has installed more than it pins.
    locks = [path for path in packages.parent.iterdir() if path != packages]
    assert [path.name for path in locks] == ([environment["lock"]] if environment["lock"] else [])
    assert all(path.read_bytes() == (ROOT / "requirements" / path.name).read_bytes() for path in locks)
    assert str(machine["python"]).split()[1] == sys.version.split()[0]


def test_parameters_defaults_and_seeds_are_told(trained: Trained) -> None:
    params = trained.run.data.params
    assert {"variant": "boosted", "labels.shuffled": "False", "max_iter": "200"}.items() <= params.items()
    assert (params["estimator.random_state"], params["estimator.max_iter"]) == ("0", "200")
    assert (params["estimator.min_samples_leaf"], params["estimator.early_stopping"]) == ("20", "auto")
    assert params["columntransformer.categories.handle_unknown"] == "use_encoded_value"


def test_the_metrics_are_those_of_the_logged_model_on_the_logged_holdout(trained: Trained) -> None:
    with (trained.artifacts / "data" / "holdout.csv").open(newline="") as file:
        _, *lines = csv.reader(file)
    rows = [[cell if place in (1, 2, 3) else float(cell) for place, cell in enumerate(line[:-1])] for line in lines]
    model = load_estimator(trained.model / "model.skops")
    import numpy

    expected = mean_absolute_error([float(line[-1]) for line in lines], model.predict(numpy.array(rows, dtype=object)))
    assert trained.run.data.metrics["mean_absolute_error"] == pytest.approx(expected, rel=1e-12)
    assert trained.printed.metrics == {
        name: trained.run.data.metrics[name] for name in ("mean_absolute_error", "root_mean_squared_error", "r2_score")
    }


def test_what_the_training_took_is_within_what_the_run_took(trained: Trained) -> None:
    info, found = trained.run.info, trained.run.data.metrics
    assert 0.05 < found["training_seconds"] < (info.end_time - info.start_time) / 1000
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    # The MLflow server is a child of the tests, and counts.
    server = sum(child.memory_info().rss for child in psutil.Process().children(recursive=True))
    assert 100e6 < found["peak_memory_bytes"] - server < int(status["VmHWM"].split()[0]) * 1024 * 1.5


def test_the_learning_curve_has_a_point_for_each_tree(trained: Trained, client: MlflowClient) -> None:
    points = client.get_metric_history(trained.printed.run_id, "learning_curve.mean_absolute_error")
    assert sorted(point.step for point in points) == list(range(1, 201))
    last = max(points, key=lambda point: point.step)
    assert last.value == pytest.approx(trained.printed.metrics["mean_absolute_error"])
    assert next(point.value for point in points if point.step == 1) > 5 * last.value


def test_the_requirements_of_the_model_are_given_and_not_inferred(trained: Trained) -> None:
    expected = {f"{name}=={metadata.version(name)}" for name in ("mlflow", "scikit-learn", "skops", "numpy", "pandas")}
    assert set((trained.model / "requirements.txt").read_text().split()) == expected
    assert set(trained.provenance["libraries"]) == {"python", "mlflow", "scikit-learn", "skops", "numpy", "pandas"}


def test_the_signature_is_what_model_yaml_declares(trained: Trained) -> None:
    found = yaml.safe_load((trained.model / "MLmodel").read_text())["signature"]
    declared = yaml.safe_load((MODELS / MODEL / "model.yaml").read_text())["data"]["columns"]
    assert json.loads(found["inputs"]) == [
        {"type": kind, "name": name, "required": True} for name, kind in declared.items()
    ]
    assert json.loads(found["outputs"]) == [{"type": "double", "required": True}]


def test_the_page_of_the_run_names_both_data_sets_with_our_digest_and_what_each_is_for(trained: Trained) -> None:
    found = datasets(trained.run)
    assert {context: one.name for context, one in found.items()} == {
        "training": "plotnine.data.diamonds", "holdout": "plotnine.data.diamonds",
    }  # fmt: skip
    digest = sha256sum(trained.artifacts / "data" / "holdout.csv")
    assert found["holdout"].digest == digest[:36]
    assert json.loads(found["holdout"].profile) == {"num_rows": 10734, "sha256": digest}
    assert json.loads(found["training"].profile)["num_rows"] == 53940 - 10734
    assert json.loads(found["training"].source)["packages"] == {"plotnine": metadata.version("plotnine")}
    columns = json.loads(found["training"].schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns][-2:] == [("z", "double"), ("price", "double")]


def test_the_logged_model_has_its_metrics_on_the_data_set_that_they_are_of(
    trained: Trained, client: MlflowClient
) -> None:
    model = client.get_logged_model(trained.printed.model_id)
    digest = datasets(trained.run)["holdout"].digest
    found = {one.key: (one.value, one.dataset_name, one.dataset_digest) for one in model.metrics or ()}
    expected = {name: (value, "plotnine.data.diamonds", digest) for name, value in trained.printed.metrics.items()}
    assert expected.items() <= found.items()
    assert model.params["variant"] == "boosted"
    better = mlflow.search_logged_models(
        [trained.run.info.experiment_id], filter_string="metrics.mean_absolute_error < 300", output_format="list"
    )
    assert trained.printed.model_id in [one.model_id for one in better]


def test_run_and_experiment_are_described_for_whoever_opens_them(trained: Trained, client: MlflowClient) -> None:
    error = trained.printed.metrics["mean_absolute_error"]
    text = trained.run.data.tags[names.NOTE_TAG]
    assert text.startswith("`boosted`, trained on 43206 rows of plotnine.data.diamonds; on 10734 held-out rows: ")
    assert f"mean_absolute_error {error:.4g}" in text
    declared = yaml.safe_load((MODELS / MODEL / "model.yaml").read_text())["description"]
    assert client.get_experiment(trained.run.info.experiment_id).tags[names.NOTE_TAG] == declared


def test_what_the_machine_did_meanwhile_is_a_curve_beside_the_models(trained: Trained, client: MlflowClient) -> None:
    points = client.get_metric_history(trained.printed.run_id, f"{names.SYSTEM_METRICS}cpu_utilization_percentage")
    assert points
    assert all(0 <= point.value <= 100 for point in points)
    # Else the thread that measures breaks the logging of the model, now and then.
    with env_var_tracker() as names_of_variables:
        os.environ.get("PATH")
    assert names_of_variables == set()


def test_the_tags_are_short_lines_for_people(trained: Trained) -> None:
    tags = {name: value for name, value in trained.run.data.tags.items() if name.startswith("trackback.")}
    digest = trained.provenance["training"]["sha256"]
    assert tags[names.TRAINING_DATA_TAG] == f"43206 rows of plotnine.data.diamonds, {str(digest)[:12]}"
    assert tags[names.PROVENANCE_TAG] == sha256sum(trained.artifacts / names.PROVENANCE_ARTIFACT)
    assert not [value for value in tags.values() if "{" in value or len(value) > 250]


def test_an_optional_column_is_optional_in_the_signature_although_no_row_lacks_it(
    client: MlflowClient, tmp_path: Path
) -> None:
    shutil.copytree(MODELS / MODEL, tmp_path / MODEL)
    declared = tmp_path / MODEL / "model.yaml"
    declared.write_text(declared.read_text().replace("  holdout_percent:", "  optional: [depth]\n  holdout_percent:"))
    file = tmp_path / "mine.csv"
    file.write_text("".join((SITE / CSV).read_text().splitlines(keepends=True)[:400]))
    printed = train(TrainRequest(tmp_path, MODEL, "boosted-small", file), lambda _: None)
    (tmp_path / "model").mkdir()
    model = mlflow.artifacts.download_artifacts(f"models:/{printed.model_id}", dst_path=str(tmp_path / "model"))
    found = yaml.safe_load((Path(model) / "MLmodel").read_text())
    required = {column["name"]: column["required"] for column in json.loads(found["signature"]["inputs"])}
    assert [name for name, needed in required.items() if not needed] == ["depth"]
    for dataset in datasets(client.get_run(printed.run_id)).values():
        columns = json.loads(dataset.schema)["mlflow_colspec"]
        assert [column["name"] for column in columns if not column["required"]] == ["depth"]


def test_what_the_job_does_is_told_while_it_does_it(trained: Trained) -> None:
    told = " | ".join(trained.told)
    order = ["reading", "rows to train on", "logging code", "fitting 'boosted'", "hold-out mean", "logging the model"]
    assert [told.index(word) for word in order] == sorted(told.index(word) for word in order)
    assert "is not the one pinned" not in told
    assert trained.told[-1] == f"logged run {trained.printed.run_id}"


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ({"variant": "deep"}, "expected a variant of diamond-price"),
        ({"csv": Path("no.csv")}, "no.csv: expected a file with rows, cannot read it: No such file"),
        ({"master": "spark://a:7077"}, "expected no master"),
    ],
)
def test_nothing_is_logged_when_the_order_is_wrong(
    client: MlflowClient, trained: Trained, order: dict[str, Path], complaint: str
) -> None:
    experiments = [trained.run.info.experiment_id]
    before = [run.info.run_id for run in client.search_runs(experiments)]
    with pytest.raises(Refused, match=complaint):
        train(TrainRequest(MODELS, MODEL, **order), lambda _: None)  # type: ignore[arg-type]
    assert [run.info.run_id for run in client.search_runs(experiments)] == before


def test_a_model_of_shuffled_labels_is_marked_and_bad(client: MlflowClient, trained: Trained) -> None:
    bad = train(TrainRequest(MODELS, MODEL, "linear", shuffle_labels=True), lambda _: None)
    run = client.get_run(bad.run_id)
    assert run.data.params["labels.shuffled"] == "True"
    assert bad.metrics["r2_score"] < 0.1 < trained.printed.metrics["r2_score"]
    assert bad.holdout_sha256 == trained.printed.holdout_sha256


def changed_model(folder: Path, name: str, before: str, after: str) -> Path:
    """The shipped model under another name, with a change in its train.py."""
    shutil.copytree(MODELS / MODEL, folder / name)
    declared, code = folder / name / "model.yaml", folder / name / "train.py"
    declared.write_text(declared.read_text().replace(f"name: {MODEL}", f"name: {name}"))
    assert before in code.read_text()
    code.write_text(code.read_text().replace(before, after))
    return folder


def last_run(client: MlflowClient, model: str) -> Run:
    experiment = client.get_experiment_by_name(model)
    assert experiment
    return client.search_runs([experiment.experiment_id], max_results=1)[0]


def test_a_run_whose_training_breaks_is_failed_and_names_the_file_and_the_librarys_reason(
    client: MlflowClient, tmp_path: Path
) -> None:
    models = changed_model(tmp_path, "breaking", "Ridge(**parameters)", "Ridge(alpha=-1)")
    with pytest.raises(Refused, match=r"breaking/train\.py: expected a plan .* found \w+Error: The 'alpha' parameter"):
        train(TrainRequest(models, "breaking", "linear"), lambda _: None)
    run = last_run(client, "breaking")
    assert (run.info.status, names.PROVENANCE_TAG in run.data.tags) == ("FAILED", True)


def test_a_training_that_is_stopped_is_killed_in_mlflow_with_one_line(
    client: MlflowClient, mlflow_url: str, tmp_path: Path
) -> None:
    models = changed_model(
        tmp_path, "stopped", "random_state=0, **parameters", "random_state=0, max_iter=10**6, early_stopping=False"
    )
    (tmp_path / "temporary").mkdir()
    told = {"MLFLOW_TRACKING_URI": mlflow_url, "TRACKBACK_MODELS": str(models), "TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-P", "-m", "training", "train", "stopped", "--variant", "boosted"]
    environment = {**os.environ, **told, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as job:
        assert job.stderr
        assert job.stdout
        assert any("fitting" in line for line in iter(job.stderr.readline, ""))
        job.send_signal(signal.SIGTERM)
        said = job.stderr.read()
        assert (job.wait(60), job.stdout.read()) == (143, "")
    assert said == "stopped by a signal: a run that had begun is KILLED in MLflow\n"
    assert last_run(client, "stopped").info.status == "KILLED"
    assert not list((tmp_path / "temporary").iterdir())

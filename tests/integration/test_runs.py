"""Runs in a real MLflow: what a training job leaves there, and which of them promote and fetch refuse."""

import getpass
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pandas
import pytest
import yaml
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.estimator import names_in
from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion, TagValue
from services.contract.row_hashes import read_row_hashes, row_hashes
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.delivery.clients.registry import Registry
from services.delivery.gates.decisions import count_decision
from services.delivery.settings import Settings
from services.delivery.statistics.overlap import equal_rows
from services.delivery.store import Store
from services.delivery.verbs.adopt import adopted
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.promote import promoted
from tests.support.paths import MODELS, ROOT
from training.executed_notebook import execute
from training.job import TrainedRun, TrainRequest, train
from training.model_code import find_function
from training.reproduce import ReproduceRequest, reproduce
from training.rows import load_rows

MODEL = "diamond-price"
NOWHERE = "http://127.0.0.1:9/go"


@dataclass(frozen=True)
class Bench:
    """An MLflow with one good run of a small training set, and an empty store."""

    url: str
    trained: TrainedRun
    settings: Settings
    client: MlflowClient

    def promotion(self, **changes: str | None) -> Promotion:
        found = self.client.get_run(self.trained.run_id)
        fields: dict[str, str | None] = {
            "model": MODEL,
            "label": f"1-{self.trained.run_id[:8]}",
            "run_id": self.trained.run_id,
            "run_status": "FINISHED",
            "experiment_id": found.info.experiment_id,
            "model_id": self.trained.model_id,
            "promotion": "true",
        }
        return Promotion.model_validate({**fields, **changes})

    def fetch(self, **changes: str | None) -> Candidate:
        return fetched(self.settings, self.promotion(**changes), None)

    def bare_run(self, status: str = "FINISHED") -> str:
        experiment = self.client.get_experiment_by_name(MODEL)
        assert experiment
        run_id: str = self.client.create_run(experiment.experiment_id).info.run_id
        if status != "RUNNING":
            self.client.set_terminated(run_id, status)
        return run_id


@pytest.fixture(scope="module")
def own_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from plotnine.data import diamonds

    csv = tmp_path_factory.mktemp("data") / "mine.csv"
    diamonds.head(500).to_csv(csv, index=False)
    return csv


@pytest.fixture(scope="module")
def trained(mlflow_url: str, own_file: Path) -> TrainedRun:
    mlflow.set_tracking_uri(mlflow_url)
    return train(TrainRequest(MODELS, MODEL, "linear", own_file), lambda _: None)


@pytest.fixture
def bench(mlflow_url: str, trained: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    monkeypatch.setenv("TRACKBACK_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("TRACKBACK_GOCD_URL", NOWHERE)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield Bench(mlflow_url, trained, Settings(), MlflowClient(mlflow_url))


def test_a_run_holds_everything_that_went_into_it(bench: Bench, tmp_path: Path) -> None:
    run = bench.client.get_run(bench.trained.run_id)
    record = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{names.PROVENANCE_ARTIFACT}")
    versions = json.loads(Path(record).read_text())["libraries"]
    assert set(versions) == {"python", "mlflow", "scikit-learn", "skops", "numpy", "pandas"}
    assert run.data.params["variant"] == "linear"
    assert run.data.params["estimator.fit_intercept"] == "True"
    cost = {names.SECONDS_METRIC, names.MEMORY_METRIC}
    assert {name: value for name, value in run.data.metrics.items() if name not in cost} == bench.trained.metrics
    assert {"mean_absolute_error", "r2_score", "root_mean_squared_error", *cost} == set(run.data.metrics)
    assert len(run.data.tags[names.GIT_COMMIT_TAG]) == 40
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{bench.trained.model_id}", dst_path=str(tmp_path)))
    assert run.data.tags[names.MODEL_DIGEST_TAG] == digest_directory(folder)
    code = Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/code", dst_path=str(tmp_path)))
    assert (code / "train.py").read_bytes() == (MODELS / MODEL / "train.py").read_bytes()


def test_the_logged_model_has_a_signature_an_example_pinned_libraries_and_no_pickle(
    bench: Bench, tmp_path: Path
) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{bench.trained.model_id}", dst_path=str(tmp_path)))
    mlmodel = yaml.safe_load((folder / "MLmodel").read_text())
    inputs = {column["name"]: column["type"] for column in json.loads(mlmodel["signature"]["inputs"])}
    assert inputs == {
        "carat": "double", "cut": "string", "color": "string", "clarity": "string", "depth": "double",
        "table": "double", "x": "double", "y": "double", "z": "double",
    }  # fmt: skip
    assert mlmodel["flavors"]["sklearn"]["serialization_format"] == "skops"
    assert mlmodel["flavors"]["sklearn"]["skops_trusted_types"] == ["numpy.asarray"]
    assert len(json.loads((folder / "input_example.json").read_text())["data"]) == 5
    requirements = (folder / "requirements.txt").read_text().split()
    assert requirements
    assert all("==" in requirement for requirement in requirements)
    assert not list(folder.glob("*.pkl"))


def test_fetch_brings_model_and_hold_out_into_the_store(bench: Bench) -> None:
    candidate = bench.fetch()
    store = Store(bench.settings.store)
    assert (store.model(candidate.digest) / "model.skops").is_file()
    assert store.holdout(candidate.run.holdout.sha256).read_text().startswith("carat,cut,color,clarity,")
    assert candidate.library == "sklearn"
    assert candidate.run.training
    assert candidate.run.holdout.rows + candidate.run.training.rows == 500
    assert not list((bench.settings.store / "staging").iterdir())


def test_a_run_is_trained_again_from_what_it_recorded_and_is_the_same(bench: Bench, own_file: Path) -> None:
    request = ReproduceRequest(MODELS, bench.trained.run_id, own_file, ROOT / ".venv")
    found = reproduce(request, lambda _: None)
    assert found.reproduced, found.table()
    assert {row.what: row.found for row in found.rows}["answers"] == "equal"
    again = bench.client.get_run(found.again)
    assert again.data.tags[names.REPRODUCES_TAG] == bench.trained.run_id
    with pytest.raises(Refused, match="expected the file that the run was trained with, found none: give it with"):
        reproduce(replace(request, csv=None), lambda _: None)


@pytest.fixture(scope="module")
def from_a_notebook(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, TrainedRun]]:
    """The notebook that ships, after it was executed."""
    out = tmp_path_factory.mktemp("notebook") / "mine.ipynb"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", mlflow_url)
        for name in ("PYTHONPATH", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patched.setenv(name, "")
        yield out, execute(ROOT / "training" / "notebooks" / "diamond-price.ipynb", out)


def test_what_a_notebook_logs_is_fetched_as_what_the_training_job_logs(
    bench: Bench, from_a_notebook: tuple[Path, TrainedRun]
) -> None:
    run = from_a_notebook[1]
    label = f"1-{run.run_id[:8]}"
    found = bench.fetch(run_id=run.run_id, model_id=run.model_id, label=label).run
    assert found.holdout.sha256 == load_model_config(MODELS, MODEL).data.holdout_sha256
    assert (found.name, found.holdout.source) == ("from a notebook", "plotnine.data.diamonds")
    assert found.sources
    assert found.sources.packages.keys() == {"plotnine"}
    assert found.libraries
    assert found.libraries.keys() == {"python", "mlflow", "scikit-learn", "skops", "numpy", "pandas"}
    assert (found.parameters["variant"], found.parameters["estimator.max_iter"]) == ("from a notebook", "250")
    assert found.git_commit
    assert found.machine
    assert found.environment
    assert found.row_hashes
    assert found.metrics.items() >= run.metrics.items()


def test_the_notebook_is_logged_with_its_outputs(from_a_notebook: tuple[Path, TrainedRun], tmp_path: Path) -> None:
    kept, run = from_a_notebook
    uri = f"runs:/{run.run_id}/{names.SESSION_FOLDER}/notebook.ipynb"
    logged = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    one, other = (
        [
            (cell["source"], outputs(cell))
            for cell in json.loads(path.read_text())["cells"]
            if cell["cell_type"] == "code"
        ]
        for path in (kept, logged)
    )
    assert other == one
    printed, result = other[-1][1]
    assert printed.startswith("learning rate 0.06: errs by ")
    assert f"{run.metrics['mean_absolute_error']}" in result


def outputs(cell: dict[str, Any]) -> list[str]:
    """Of a notebook's cell: what it printed to stdout, and its result."""
    found = [one for one in cell["outputs"] if one.get("name") != "stderr"]
    return ["".join(one["text"] if "text" in one else one["data"]["text/plain"]) for one in found]


def test_fetching_again_gives_the_same_digest(bench: Bench) -> None:
    assert bench.fetch().digest == bench.fetch().digest


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_fetch_refuses_a_run_that_did_not_finish(bench: Bench, status: str) -> None:
    with pytest.raises(Refused, match=f"expected a finished run, found {bench.trained.run_id} {status}"):
        bench.fetch(run_status=status)


def test_fetch_refuses_a_run_without_a_model(bench: Bench) -> None:
    with pytest.raises(Refused, match="expected a run that logged a model named 'model', found none in "):
        bench.fetch(model_id=None)


def test_fetch_refuses_a_deleted_run(bench: Bench) -> None:
    bench.client.delete_run(bench.trained.run_id)
    try:
        with pytest.raises(Refused, match=f"expected an active run, found {bench.trained.run_id} deleted"):
            bench.fetch()
    finally:
        bench.client.restore_run(bench.trained.run_id)


def test_fetch_refuses_an_unknown_run(bench: Bench) -> None:
    with pytest.raises(Refused, match="expected the run f{32} in MLflow at http"):
        bench.fetch(run_id="f" * 32)


def test_fetch_names_the_tag_that_a_run_of_another_origin_lacks(bench: Bench) -> None:
    with pytest.raises(Refused, match=f"expected the tag {names.PROVENANCE_TAG} on run .*, found none: .*adopt"):
        bench.fetch(run_id=bench.bare_run())


def test_a_run_whose_tags_hold_it_all_as_before_is_fetched_as_before(bench: Bench) -> None:
    after = bench.fetch().run
    json_tags = {
        names.TRAINING_DATA_TAG: after.training, names.HOLDOUT_TAG: after.holdout, names.SCHEMA_TAG: after.data_schema,
        names.SOURCES_TAG: after.sources, names.ENVIRONMENT_TAG: after.environment, names.MACHINE_TAG: after.machine,
    }  # fmt: skip
    tags = {name: record.model_dump_json() for name, record in json_tags.items() if record}
    before = bench.client.get_run(bench.trained.run_id).data.tags
    try:
        for name, value in {**tags, names.LIBRARIES_TAG: json.dumps(after.libraries)}.items():
            bench.client.set_tag(bench.trained.run_id, name, value)
        bench.client.delete_tag(bench.trained.run_id, names.PROVENANCE_TAG)
        # Such a run has neither hashes of its training rows nor their columns in short.
        assert bench.fetch().run == after.model_copy(update={"row_hashes": None, "columns": None})
    finally:
        for name in (names.PROVENANCE_TAG, names.LIBRARIES_TAG, *(tags.keys() & before.keys())):
            bench.client.set_tag(bench.trained.run_id, name, before[name])


@pytest.mark.parametrize("what", ["model", "hold-out", "row hashes", "provenance"])
def test_fetch_refuses_files_that_were_changed_in_the_artifact_store(bench: Bench, what: str) -> None:
    experiment = bench.client.get_run(bench.trained.run_id).info.experiment_id
    path = {
        "model": f"{experiment}/models/{bench.trained.model_id}/artifacts/requirements.txt",
        "hold-out": f"{experiment}/{bench.trained.run_id}/artifacts/{names.HOLDOUT_ARTIFACT}",
        "row hashes": f"{experiment}/{bench.trained.run_id}/artifacts/{names.ROW_HASHES_ARTIFACT}",
        "provenance": f"{experiment}/{bench.trained.run_id}/artifacts/{names.PROVENANCE_ARTIFACT}",
    }[what]
    url = f"{bench.url}/api/2.0/mlflow-artifacts/artifacts/{path}"
    before = httpx.get(url).raise_for_status().content
    httpx.put(url, content=before + b"\n").raise_for_status()
    expected = {
        "model": "its files were changed in the artifact store",
        "hold-out": "expected a hold-out with SHA-256",
        "row hashes": "expected hashes of training rows with SHA-256",
        "provenance": "expected provenance.json of run .* as it was logged, found another",
    }
    try:
        with pytest.raises(Refused, match=expected[what]):
            bench.fetch()
    finally:
        httpx.put(url, content=before).raise_for_status()
    assert not list((bench.settings.store / "staging").iterdir())


def test_a_fetched_run_brings_the_hashes_of_its_training_rows_which_are_not_those_of_its_hold_out(bench: Bench) -> None:
    run, store = bench.fetch().run, Store(bench.settings.store)
    assert run.training
    assert run.row_hashes
    training = read_row_hashes(store.row_hashes(run.row_hashes), run.training.rows)
    held_out = row_hashes(store.holdout(run.holdout.sha256).read_bytes())
    assert (len(training) + len(held_out), equal_rows(training, held_out).places) == (500, ())


def test_the_experiment_counts_what_its_hold_out_has_decided(bench: Bench) -> None:
    candidate, gates = bench.fetch(), load_model_config(MODELS, MODEL).gates
    validation = Validation(
        model=MODEL, revision="1-aaaaaaaa", candidate=candidate.digest, holdout=candidate.run.holdout,
        verdict=Verdict.PASS, checks=(), metrics={"r2_score": 0.9}, latency_ms={},
    )  # fmt: skip

    def number(label: str) -> int | None:
        promotion = candidate.promotion.model_copy(update={"label": label})
        promoted = candidate.model_copy(update={"promotion": promotion})
        return count_decision(bench.settings, gates, promoted, validation).holdout_decisions

    assert [number(label) for label in ("1-aaaaaaaa", "2-bbbbbbbb", "1-aaaaaaaa")] == [1, 2, 1]
    tags = bench.client.get_experiment(candidate.run.experiment_id).tags
    assert tags[f"trackback.holdout.{candidate.run.holdout.sha256[:12]}"] == "2 decided: 1-aaaaaaaa 2-bbbbbbbb"
    assert tags[names.NOTE_TAG] == load_model_config(MODELS, MODEL).description


def test_fetch_refuses_an_mlmodel_that_names_a_file_outside_of_its_folder(bench: Bench, tmp_path: Path) -> None:
    """As somebody would plant it who can also write tags."""
    client, model_id = bench.client, bench.trained.model_id
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=str(tmp_path)))
    mlmodel = folder / "MLmodel"
    before, digest = mlmodel.read_bytes(), digest_directory(folder)
    experiment = client.get_run(bench.trained.run_id).info.experiment_id
    url = f"{bench.url}/api/2.0/mlflow-artifacts/artifacts/{experiment}/models/{model_id}/artifacts/MLmodel"
    mlmodel.write_text(before.decode().replace("model.skops", "../../../secret.skops"))
    httpx.put(url, content=mlmodel.read_bytes()).raise_for_status()
    client.set_tag(bench.trained.run_id, names.MODEL_DIGEST_TAG, digest_directory(folder))
    try:
        with pytest.raises(Refused, match=r"expected MLmodel to name files of its own folder, found flavors\..*secret"):
            bench.fetch()
    finally:
        httpx.put(url, content=before).raise_for_status()
        client.set_tag(bench.trained.run_id, names.MODEL_DIGEST_TAG, digest)


@dataclass(frozen=True)
class Foreign:
    """A model that other code fits and logs, and the pinned hold-out as a file of a person's own."""

    model: Any
    sample: pandas.DataFrame
    holdout: Path

    def log(self, **options: Any) -> str:
        mlflow.set_experiment(MODEL)
        with mlflow.start_run(run_name="by other code") as run:
            mlflow.log_metric("r2_score", 0.5)
            mlflow.sklearn.log_model(self.model, name="model", pip_requirements=["scikit-learn"], **options)
        return str(run.info.run_id)

    @property
    def skops(self) -> dict[str, Any]:
        return {"serialization_format": "skops", "skops_trusted_types": names_in(self.model)}


@pytest.fixture(scope="module")
def foreign(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    mlflow.set_tracking_uri(mlflow_url)
    part = load_rows(load_model_config(MODELS, MODEL), MODELS / MODEL, None).dataset.holdout
    table = part.inputs.join(part.target)
    file = tmp_path_factory.mktemp("foreign") / "mine.csv"
    table[[*reversed(table.columns)]].assign(comment="mine").to_csv(file, index=False, lineterminator="\r\n")
    model = find_function(MODELS / MODEL, "train.py", "build")(kind="linear").fit(part.inputs, part.target)
    return Foreign(model, part.inputs.head(), file)


def test_a_run_that_other_code_logged_is_adopted_and_fetched_and_what_nobody_knows_stays_unknown(
    bench: Bench, foreign: Foreign
) -> None:
    run_id = foreign.log(**foreign.skops, signature=infer_signature(foreign.sample, [1.0]))
    config = load_model_config(MODELS, MODEL)
    done = adopted(bench.settings, config, run_id, foreign.holdout)
    assert done.holdout.sha256 == config.data.holdout_sha256
    assert done.not_recorded[:2] == ("training data", "the files that it was made of")
    tags, metrics = (getattr(bench.client.get_run(run_id).data, part) for part in ("tags", "metrics"))
    assert tags[names.ADOPTED_TAG].endswith(f"by {getpass.getuser()}")
    assert metrics["mean_absolute_error"] == done.metrics["mean_absolute_error"] == pytest.approx(740, abs=30)
    assert metrics["r2_score"] == 0.5  # what the run said of itself
    candidate = bench.fetch(run_id=run_id, model_id=done.model_id)
    assert candidate.digest == done.model_digest
    assert (candidate.run.training, candidate.run.machine, candidate.run.environment) == (None, None, None)
    with pytest.raises(Refused, match=f"found {bench.trained.run_id} complete: promote it as it is"):
        adopted(bench.settings, config, bench.trained.run_id, foreign.holdout)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("pickle", "expected a model logged as skops, found cloudpickle, .*: log it again with"),
        ("unsigned", "expected the signature carat double, .* found no signature: log the model again"),
    ],
)
def test_a_run_that_the_gates_could_not_take_is_not_adopted(
    bench: Bench, foreign: Foreign, kind: str, complaint: str
) -> None:
    run_id = foreign.log(**({"serialization_format": "cloudpickle"} if kind == "pickle" else foreign.skops))
    with pytest.raises(Refused, match=complaint):
        adopted(bench.settings, load_model_config(MODELS, MODEL), run_id, foreign.holdout)
    assert names.ADOPTED_TAG not in bench.client.get_run(run_id).data.tags


def test_promote_writes_sequence_time_and_promoter_and_counts_up(bench: Bench) -> None:
    values = []
    for reason in ("first", "second thoughts"):
        written = promoted(bench.settings, MODEL, bench.trained.run_id, reason, "ada")
        tags = bench.client.get_run(bench.trained.run_id).data.tags
        assert (tags[names.PROMOTE_TAG], tags[names.REASON_TAG]) == (written.value, reason)
        assert tags[names.REASON_FOR_TAG].startswith(f"{written.value.split()[0]} ")
        assert written.triggered is False
        values.append(TagValue.parse(written.value))
    assert [value.who for value in values if value] == ["ada", "ada"]
    first, second = (value.sequence for value in values if value)
    assert second == first + 1


def test_promote_refuses_what_fetch_would_refuse_and_writes_no_tag(bench: Bench) -> None:
    running, bare = bench.bare_run("RUNNING"), bench.bare_run()
    for run_id, reason in (
        (running, "expected a finished run, found status RUNNING"),
        (bare, "expected a run that logged a model, found none"),
        ("e" * 32, "expected the run e{32} in MLflow"),
    ):
        with pytest.raises(Refused, match=reason):
            promoted(bench.settings, MODEL, run_id, "x", "ada")
    assert all(names.PROMOTE_TAG not in bench.client.get_run(run_id).data.tags for run_id in (running, bare))
    with pytest.raises(Refused, match="expected a run of experiment 'language-id', found one of 'diamond-price'"):
        promoted(bench.settings, "language-id", bench.trained.run_id, "x", "ada")


def test_the_champion_alias_names_the_run_and_a_second_crowning_makes_no_second_version(bench: Bench) -> None:
    with Registry(bench.url) as registry:
        first, second = (registry.set_champion(MODEL, bench.trained.run_id, bench.trained.model_id) for _ in range(2))
    assert first == second
    version = bench.client.get_model_version_by_alias(MODEL, names.CHAMPION_ALIAS)
    assert (version.run_id, int(version.version)) == (bench.trained.run_id, first)


def test_what_mlflow_refuses_is_one_line_of_ours(bench: Bench) -> None:
    with (
        Registry(bench.url) as registry,
        pytest.raises(Refused, match=f"expected to register a version of {MODEL} in MLflow at http") as refused,
    ):
        registry.set_champion(MODEL, "f" * 32, f"m-{'f' * 32}")
    assert "\n" not in str(refused.value)

"""One model, one answer: the training library, MLflow's pyfunc in a clean process, the service over HTTP, a batch and a
booted machine image agree."""

import csv
import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pandas
import pytest
from pyarrow import parquet

from services.contract import names
from services.contract.digest import verify_directory
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.prediction import Labelled, Prediction, apart, number_of, read_predictions
from services.contract.promotion import Promotion
from services.contract.receipt import Receipt
from services.contract.release import Release
from services.delivery.machine_image.building import build_machine_image
from services.delivery.machine_image.containers import BuiltHere
from services.delivery.machine_image.sample import read_scored
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated
from tests.support.built_image import BuiltImage
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port
from training.rows import load_rows

pytestmark = pytest.mark.needs("spark")

MODELS = ROOT / "training" / "models"
ASKED = 200
# pyfunc's answers leave the library through a DataFrame and JSON, which lose nothing.
PYFUNC = """
import json, sys
import mlflow, pandas
table = json.load(open(sys.argv[2]))
answers = mlflow.pyfunc.load_model(sys.argv[1]).predict(pandas.DataFrame(table["data"], columns=table["columns"]))
if isinstance(answers, pandas.DataFrame):
    found = answers.to_dict("records")
else:
    found = [float(one) for one in answers]
open(sys.argv[3], "w").write(json.dumps(found))
"""


@dataclass(frozen=True)
class Subject:
    """A model that ships, the variant and the number of rows to train it with, and what is expected to serve it."""

    model: str
    variant: str
    rows: int
    runtime: str
    environment: str = "training"

    def __str__(self) -> str:
        return f"{self.model}-{self.variant}"


BOOTED = Subject("diamond-price", "boosted", 3000, "onnx")
SUBJECTS = (
    BOOTED,
    pytest.param(Subject("diamond-price", "linear", 3000, "onnx"), marks=pytest.mark.nightly),
    Subject("language-id", "quick", 6000, "fasttext"),
    Subject("flight-delay", "logistic", 6000, "onnx", "spark"),
)


@dataclass(frozen=True)
class Shipped:
    subject: Subject
    release: Release
    folder: Path
    rows: list[list[Any]]
    scores: Scores
    mlflow_url: str
    csv: Path

    @property
    def columns(self) -> list[str]:
        return [column.name for column in self.release.manifest.inputs]


@pytest.fixture(scope="module", params=SUBJECTS, ids=str)
def shipped(request: pytest.FixtureRequest, mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    subject: Subject = request.param
    place = tmp_path_factory.mktemp(subject.model)
    csv = sample(subject, place / "sample.csv")
    run = trackback(mlflow_url, "train", subject.model, "--variant", subject.variant, "--data", str(csv))
    settings = Settings(mlflow_tracking_uri=mlflow_url, store=place / "store")
    scorer = Scorer.of(settings, pinned(subject.model, run["holdout_sha256"]))
    candidate = fetched(settings, promotion(subject.model, run), None)
    validation, comparison = validated(scorer, candidate), compared(scorer, candidate, None)
    release = packaged(scorer, candidate, validation, comparison)
    holdout = scorer.holdout(candidate.run.holdout.sha256)
    asked = HoldoutRequest(
        candidate.library, scorer.store.model(candidate.digest), candidate.digest, candidate.run.holdout.sha256
    )
    scores = scorer.score(asked, holdout)
    rows = [*holdout.rows, *holdout.edges]
    return Shipped(subject, release, scorer.store.release(release.digest), rows, scores, mlflow_url, csv)


def sample(subject: Subject, path: Path) -> Path:
    """Some of the model's own rows as a user's CSV file."""
    config = load_model_config(MODELS, subject.model)
    dataset = load_rows(config, MODELS / subject.model, None).dataset
    sides = [pandas.concat([side.inputs, side.target], axis=1) for side in (dataset.training, dataset.holdout)]
    pandas.concat(sides).sample(subject.rows, random_state=0).to_csv(path, index=False)
    return path


def trackback(mlflow_url: str, *arguments: str) -> dict[str, Any]:
    command = [str(ROOT / "scripts" / "trackback"), *arguments]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=6000)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def pinned(model: str, holdout_sha256: str) -> ModelConfig:
    config = load_model_config(MODELS, model)
    return config.model_copy(update={"data": config.data.model_copy(update={"holdout_sha256": holdout_sha256})})


def promotion(model: str, run: dict[str, Any]) -> Promotion:
    return Promotion(
        model=model,
        label=f"1-{run['run_id'][:8]}",
        run_id=run["run_id"],
        run_status="FINISHED",
        experiment_id="1",
        model_id=run["model_id"],
        promotion="true",
    )


@contextmanager
def serving(shipped: Shipped) -> Iterator[str]:
    """The service in its own environment, as anybody starts it by hand."""
    port = free_port()
    python = ROOT / ".venv" / f"prediction-{shipped.subject.runtime}" / "bin" / "python"
    command = [python, "-m", "services.prediction", shipped.folder, "--digest", shipped.release.digest, "--port", port]
    service = subprocess.Popen([str(word) for word in command], cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        poll_until(lambda: is_ready(url), f"{url} to be ready")
        yield url
    finally:
        service.terminate()
        service.wait(PATIENCE)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def ask(url: str, columns: Sequence[str], rows: Sequence[list[Any]], method: str) -> list[Prediction | None]:
    """Row by row, because one row that cannot be answered would hide the others."""
    params = {"params": {"predict_method": method}}
    with httpx.Client(base_url=url) as client:
        answers = [client.post("/invocations", json=table(columns, [row]) | params) for row in rows]
    assert {answer.status_code for answer in answers} <= {200, 422}
    return [
        read_predictions(answer.json()["predictions"], url)[0] if answer.status_code == 200 else None
        for answer in answers
    ]


def without_classes(answer: Prediction | None) -> Prediction | None:
    return answer.model_copy(update={"probabilities": None}) if isinstance(answer, Labelled) else answer


def table(columns: Sequence[str], rows: Sequence[list[Any]]) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(columns), "data": [list(map(or_null, row)) for row in rows]}}


def or_null(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def test_the_service_answers_as_the_library_does_and_of_all_classes_when_it_is_asked(shipped: Shipped) -> None:
    edges = len(shipped.scores.edges)
    rows = [*shipped.rows[:ASKED], *shipped.rows[-edges:]]
    expected = [*shipped.scores.finite[:ASKED], *shipped.scores.finite_edges]
    classes = shipped.release.manifest.classes
    with serving(shipped) as url:
        found = ask(url, shipped.columns, rows, "predict_proba" if classes else "predict")
        plain = ask(url, shipped.columns, rows, "predict")
    assert all(list(one.probabilities or ()) == list(classes) for one in found if isinstance(one, Labelled))
    assert plain == [without_classes(one) for one in found]
    form = shipped.release.manifest.servable.form
    assert form is not None, shipped.release.manifest.servable.notes
    assert form.runtime == shipped.subject.runtime
    distances = [apart(one, other) for one, other in zip(expected, found, strict=True)]
    assert max(distances) <= form.tolerance, [
        (row, one, other)
        for row, one, other, far in zip(rows, expected, found, distances, strict=True)
        if far > form.tolerance
    ]


def test_a_batch_has_the_answers_of_the_library_and_sets_aside_what_has_none(shipped: Shipped, tmp_path: Path) -> None:
    """In the service's own environment, as its container does."""
    records = [dict(zip(shipped.columns, map(or_null, row), strict=True)) for row in shipped.rows]
    written = (json.dumps({"place": place, **record}) for place, record in enumerate(records))
    (tmp_path / "rows.jsonl").write_text("\n".join(written))
    python = ROOT / ".venv" / f"prediction-{shipped.subject.runtime}" / "bin" / "python"
    command = [python, "-m", "services.prediction.batch", shipped.folder, "--digest", shipped.release.digest]
    command += ["--input", tmp_path / "rows.jsonl", "--output", tmp_path / "out", "--keep", "place"]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {int(row["place"]): answer_of(row) for row in parquet.read_table(tmp_path / "out" / "scored").to_pylist()}
    expected = [*shipped.scores.finite, *shipped.scores.finite_edges]
    form = shipped.release.manifest.servable.form
    assert form is not None
    assert max(apart(without_classes(one), found.get(place)) for place, one in enumerate(expected)) <= form.tolerance
    receipt = Receipt.read(tmp_path / "out" / "receipt.json")
    assert (receipt.rows_in, receipt.rows_scored) == (len(records), len(found))
    # Most of them are the hold-out, with which it is compared.
    assert receipt.compared_with == f"{len(shipped.scores.finite)} answers to the hold-out"
    assert receipt.shift is not None
    assert receipt.shift < 0.1


def answer_of(row: dict[str, Any]) -> Prediction:
    if "prediction" in row:
        return float(row["prediction"])
    return Labelled(label=row["label"], probability=row["probability"])


def test_mlflows_pyfunc_answers_as_the_library_does_in_a_process_without_our_code(
    shipped: Shipped, tmp_path: Path
) -> None:
    rows, answers = tmp_path / "rows.json", tmp_path / "answers.json"
    rows.write_text(json.dumps(table(shipped.columns, shipped.rows[:ASKED])["dataframe_split"]))
    python = ROOT / ".venv" / shipped.subject.environment / "bin" / "python"
    model = f"models:/{shipped.release.manifest.candidate.promotion.model_id}"
    done = subprocess.run(
        [python, "-c", PYFUNC, model, rows, answers],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MLFLOW_TRACKING_URI": shipped.mlflow_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=6000,
    )
    assert done.returncode == 0, done.stderr
    assert answers.exists(), done.stdout + done.stderr
    found = json.loads(answers.read_text())
    for expected, answer in zip(shipped.scores.finite[:ASKED], found, strict=True):
        if isinstance(answer, dict):
            assert isinstance(expected, Labelled)
            assert answer["label"] == expected.label
            assert answer["probability"] == pytest.approx(expected.probability, rel=1e-6)
        elif isinstance(expected, Labelled):
            # The Spark flavor's pyfunc gives no probability.
            assert answer == expected.label
        else:
            assert answer == pytest.approx(number_of(expected), rel=1e-12)


def test_the_golden_rows_of_the_release_have_edges_among_them(shipped: Shipped) -> None:
    golden = json.loads((shipped.folder / names.GOLDEN_FILE).read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 64
    edges = [list(map(or_null, row)) for row in shipped.rows[-len(shipped.scores.edges) :]]
    assert sum(row in golden["rows"] for row in edges) >= min(20, len(edges) // 2)


def with_a_flipped_bit(content: bytes) -> bytes:
    """In the middle; an empty file gets a byte."""
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1]) if content else b"!"
    return content[:middle] + flipped + content[middle + 1 :]


def test_a_flipped_byte_in_any_file_is_refused_before_the_model_is_loaded(shipped: Shipped, tmp_path: Path) -> None:
    form = shipped.release.manifest.servable.form
    assert form
    python = ROOT / ".venv" / f"prediction-{form.runtime}" / "bin" / "python"
    folder = tmp_path / "release"
    shutil.copytree(shipped.folder, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert folder / form.file in files
    for path in files:
        good = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(with_a_flipped_bit(good))
        with pytest.raises(Refused, match="its files were changed"):
            verify_directory(folder, shipped.release.digest)
        if path == folder / form.file:
            command = [str(python), "-X", "importtime", "-m", "services.prediction", str(folder)]
            command += ["--digest", shipped.release.digest, "--ask", os.devnull]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
            assert done.returncode == 1
            assert done.stderr.splitlines()[-1].endswith("its files were changed")
            assert f"services.prediction.runtimes.{form.runtime}" not in done.stderr
        path.write_bytes(good)


def test_the_data_of_a_run_is_verified_from_the_users_own_file(shipped: Shipped) -> None:
    """In the environment of the library, which may be another than that of the command."""
    run = shipped.release.manifest.candidate.run
    verified = trackback(shipped.mlflow_url, "verify-data", run.run_id, "--data", str(shipped.csv))
    assert run.training
    assert verified["training"] == run.training.model_dump()
    assert verified["holdout"] == run.holdout.model_dump()


def refused(shipped: Shipped) -> list[list[Any]]:
    """Rows that nobody may answer: a text in the place of a number, and none."""
    place, row = shipped.columns.index("carat"), shipped.rows[0]
    return [[*row[:place], wrong, *row[place + 1 :]] for wrong in ("heavy", "")]


# A boot takes most of a minute, so one model is booted.
@pytest.mark.needs("image")
@pytest.mark.parametrize("shipped", [BOOTED], indirect=True, ids=str)
def test_a_booted_machine_image_answers_as_the_library_does_and_sets_aside_what_nobody_may_answer(
    shipped: Shipped, machine_image: BuiltImage, tmp_path: Path
) -> None:
    """By UEFI, from an NVMe disk; the journey on the stack boots by a BIOS, from a disk of virtio."""
    store = shipped.folder.parent.parent
    machine_image.lend_bases(store)
    built = build_machine_image(Store(store), shipped.release, BuiltHere())
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([shipped.columns, *shipped.rows[:ASKED], *refused(shipped)])
    command: list[str | Path] = [
        ROOT / "scripts" / "trackback",
        "boot",
        built.folder / built.image.file,
        "--input",
        "rows.csv",
    ]
    command += ["--output", "scored", "--firmware", "uefi", "--bus", "nvme"]
    environment = {**os.environ, "TRACKBACK_STORE": str(store)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=6000
    )
    assert done.returncode == 0, done.stderr
    assert f"TRACKBACK-RESULT status=0 scored {ASKED} of {ASKED + 2} rows, rejected 2" in done.stderr
    receipt = Receipt.from_json(done.stdout)
    assert (receipt.rows_scored, receipt.rows_rejected) == (ASKED, 2)
    assert all((tmp_path / "scored" / one.path).is_file() for one in receipt.outputs)
    form = shipped.release.manifest.servable.form
    assert form
    found = read_scored(tmp_path / "scored")
    distances = [apart(one, other) for one, other in zip(shipped.scores.finite[:ASKED], found, strict=True)]
    assert max(distances) <= form.tolerance

"""The MLflow flavor in a real MLflow: what it leaves there, and that it loads where nothing of ours is."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import mlflow
import pandas
import pytest
import yaml
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.utils import requirements_utils

from services.contract import names
from services.contract.prediction import Labelled
from services.delivery.flavors import fasttext as delivery
from services.delivery.settings import Settings
from training.bytecode import without_bytecode
from training.flavors import fasttext as flavor

REQUIREMENTS = ["mlflow==3.17.2", "fasttext-numpy2==0.10.4"]
SIGNATURE = ModelSignature(inputs=Schema([ColSpec("string", "text")]))
ALL_CLASSES = {"predict_method": "predict_proba"}
# No label is as sure as this.
UNREACHED = 1.1
# Run with the libraries of the training environment and no code of ours.
ASK = """
import importlib.util, json, sys
assert importlib.util.find_spec("training") is None and importlib.util.find_spec("services") is None
import mlflow.pyfunc, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
texts = pandas.DataFrame({"text": json.loads(sys.argv[2])})
answers = [model.predict(texts, params=params).to_dict("list") for params in json.loads(sys.argv[3])]
import fasttext
json.dump({"answers": answers, "library": fasttext.__file__}, sys.stdout)
"""


@dataclass(frozen=True)
class Logged:
    """A small model in the registry, its folder, the code that came with it, and how often libraries were inferred."""

    model: Any
    model_id: str
    folder: Path
    code: dict[str, bytes]
    inferred: int


@pytest.fixture(scope="module")
def logged(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    mlflow.set_tracking_uri(mlflow_url)
    mlflow.set_experiment("fasttext-flavor")
    inputs = pandas.DataFrame({"text": ["hello big world", "bonjour le monde", "hallo grosse welt"] * 40})
    target = pandas.Series(["en", "fr", "de"] * 40)
    model = flavor.fit({"dim": 8, "bucket": 500, "minn": 2, "maxn": 3, "epoch": 20, "lr": 1.0}, inputs, target, None)
    capture = mock.patch.object(requirements_utils, "_capture_imported_modules")
    with mlflow.start_run(), without_bytecode(), capture as inferred:
        model_id = flavor.log_model(model, SIGNATURE, inputs.head(5), REQUIREMENTS)
    target_folder = str(tmp_path_factory.mktemp("logged"))
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}", dst_path=target_folder))
    # Read now: whoever loads the model leaves what Python compiled beside it.
    code = {file.name: file.read_bytes() for file in (folder / "code").rglob("*") if file.is_file()}
    return Logged(model, model_id, folder, code, inferred.call_count)


def test_a_logged_model_names_its_flavor_signature_parameters_and_pinned_libraries(logged: Logged) -> None:
    described = yaml.safe_load((logged.folder / "MLmodel").read_text())
    assert described["flavors"]["fasttext"] == {"data": "data/model.bin", "fasttext_version": "0.10.4"}
    signature = {part: json.loads(text) for part, text in described["signature"].items()}
    assert [(column["name"], column["type"]) for column in signature["inputs"]] == [("text", "string")]
    assert [(column["name"], column["type"]) for column in signature["outputs"]] == [
        ("label", "string"), ("probability", "double")
    ]  # fmt: skip
    assert [(param["name"], param["default"]) for param in signature["params"]] == [
        ("k", 1), ("threshold", 0.0), ("predict_method", "predict")
    ]  # fmt: skip
    assert (logged.folder / "requirements.txt").read_text().split() == REQUIREMENTS
    assert len(json.loads((logged.folder / "input_example.json").read_text())["data"]) == 5
    assert mlflow.get_logged_model(logged.model_id).name == names.LOGGED_MODEL_NAME


def test_logging_does_not_wait_for_requirements_to_be_inferred(logged: Logged) -> None:
    """MLflow loads the model once more in a process of its own for that."""
    assert logged.inferred == 0


def test_the_code_that_travels_is_the_flavor_and_does_not_hide_the_library(logged: Logged) -> None:
    assert logged.code == {"trackback_fasttext.py": Path(flavor.__file__).read_bytes()}


def test_pyfunc_answers_in_a_clean_process_without_our_code(logged: Logged, tmp_path: Path) -> None:
    python = Settings().environments / "training" / "bin" / "python"
    if not python.exists():
        refuse = pytest.fail if "CI" in os.environ else pytest.skip
        refuse(f"no training environment at {python}: run scripts/setup training")
    texts = ["hello world", "bonjour\nmonde", "", "__label__de hello </s> world"]
    questions = [
        {},
        {"k": 3},
        {"threshold": UNREACHED},
        {"k": 3, "threshold": 0.5},
        {"predict_method": "predict_proba"},
    ]
    done = subprocess.run(
        [python, "-c", ASK, str(logged.folder), json.dumps(texts), json.dumps(questions)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "site-packages" in found["library"]
    best, three, none, sure, every = found["answers"]
    expected = flavor.predict(logged.model, pandas.DataFrame({"text": texts}))
    assert [Labelled(label=one, probability=p) for one, p in zip(*best.values(), strict=True)] == expected
    assert [labels[0] for labels in three["label"]] == best["label"]
    assert [set(labels) for labels in three["label"]] == [{"en", "fr", "de"}] * 4
    assert [sum(probabilities) for probabilities in three["probability"]] == pytest.approx([1.0] * 4, abs=1e-3)
    known = delivery.predict_proba(logged.model, [[text] for text in texts], ())
    assert every["probabilities"] == [one.probabilities for one in known if isinstance(one, Labelled)]
    assert none["label"] == [None] * 4
    assert all(probability != probability for probability in none["probability"])  # NaN
    assert sure["label"] == [[label] if p >= 0.5 else [] for label, p in zip(*best.values(), strict=True)]


def test_the_native_model_and_the_delivery_side_answer_alike(logged: Logged) -> None:
    texts = pandas.DataFrame({"text": ["hello world", "bonjour monde"]})
    expected = flavor.predict(logged.model, texts)
    assert flavor.predict(flavor.load_model(str(logged.folder)), texts) == expected
    assert delivery.predict(delivery.load(logged.folder), texts.to_numpy().tolist(), ()) == expected

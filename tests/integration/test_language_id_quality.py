"""language-id on its real texts: its gates tell, and the service's build of fastText answers as the library does."""

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas
import pytest

from services.contract.metrics import measure
from services.contract.model_config import load_model_config
from services.contract.prediction import Labelled, difference
from services.delivery.flavors import fasttext as delivery
from services.delivery.settings import Settings
from tests.support.paths import ROOT
from training.dataset import Dataset, split
from training.flavors import fasttext as training
from training.sources import package_files

FOLDER = ROOT / "training" / "models" / "language-id"
CONFIG = load_model_config(FOLDER.parent, "language-id")
# What the service does with the texts on its standard input, and nothing but what its environment holds.
ASK = """
import json, sys
from pathlib import Path
from services.contract.release import Column
from services.prediction.runtimes.fasttext import load
model = load(Path(sys.argv[1]), [Column(name="text", type="string")])
def answer(text):
    try:
        return model.predict([[text]])[0].model_dump()
    except ValueError as error:
        return f"ValueError: {error}"
json.dump([answer(text) for text in json.load(sys.stdin)], sys.stdout)
"""
ODD = [
    "",
    "   ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff lone",
    "</s> after",
    "__label__en",
    "\n\r\u2028",
    "\U0010ffff",
    "\ufeff",
]
LONG = ["x" * 100_000, "a b " * 25_000, "語" * 100_000, "\u0301" * 100_000]


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    frame = module("data").load(list(package_files(CONFIG.data.packages).values()))
    return split(frame, CONFIG.data, CONFIG.task, CONFIG.data.source)


def fit(dataset: Dataset, labels: pandas.Series) -> Any:
    plan = module("train").build(**CONFIG.variants["quick"])
    return training.fit(plan, dataset.training.inputs, labels, None)


def metrics(dataset: Dataset, model: Any) -> dict[str, float]:
    predictions = training.predict(model, dataset.holdout.inputs)
    return measure(CONFIG.task, list(dataset.holdout.target), predictions)


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Any:
    return fit(dataset, dataset.training.target)


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    training.save_model(model, str(path), ["fasttext-numpy2"])
    return path


def serve(file: Path, texts: list[str]) -> list[Any]:
    python = Settings().environments / "prediction-fasttext" / "bin" / "python"
    if not python.exists():
        refuse = pytest.fail if "CI" in os.environ else pytest.skip
        refuse(f"no environment of the fastText service at {python}: run scripts/setup prediction-fasttext")
    done = subprocess.run(
        [python, "-c", ASK, str(file)], cwd=ROOT, input=json.dumps(texts), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def test_the_readme_tells_how_many_texts_and_languages_there_are(dataset: Dataset) -> None:
    rows = dataset.training.digest.rows + dataset.holdout.digest.rows
    told = f"{rows:,} messages of Django and Sphinx in {dataset.training.target.nunique()} languages"
    assert told in (ROOT / "README.md").read_text()


def test_the_gates_let_the_cheap_variant_pass_and_stop_one_that_learnt_shuffled_labels(
    dataset: Dataset, model: Any
) -> None:
    target = dataset.training.target
    bad = metrics(dataset, fit(dataset, pandas.Series(target.sample(frac=1, random_state=0).to_list())))
    good = metrics(dataset, model)
    for name, threshold in CONFIG.gates.thresholds.items():
        assert threshold.min
        assert bad[name] < 0.1 < threshold.min < good[name], name


def test_the_service_gives_the_answers_of_the_training_library_to_the_whole_hold_out(
    dataset: Dataset, model: Any, folder: Path
) -> None:
    expected = training.predict(model, dataset.holdout.inputs)
    texts = dataset.holdout.inputs["text"].to_list()
    assert len(texts) > 5000
    assert delivery.NATIVE
    found = [Labelled(**answer) for answer in serve(folder / delivery.MODEL_FILE, texts)]
    largest = max(difference(one, other) for one, other in zip(expected, found, strict=True))
    assert largest <= delivery.NATIVE.tolerance


def test_odd_and_long_texts_get_an_answer_from_the_service_and_never_end_it(model: Any, folder: Path) -> None:
    asked = [*ODD, *LONG]
    expected = training.predict(model, pandas.DataFrame({"text": asked}))
    assert delivery.NATIVE
    for text, one, answer in zip(asked, expected, serve(folder / delivery.MODEL_FILE, asked), strict=True):
        assert difference(one, Labelled(**answer)) <= delivery.NATIVE.tolerance, text[:20]

"""docs/bring-your-own-model.md, followed to the letter up to a release that could be deployed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.contract.release import Release
from services.contract.verdict import Verdict
from services.embedded.pipelines.gocd_yaml import load_pipelines
from tests.support.paths import ROOT

# The last part is run by test_any_flavor.py.
PAGE = (ROOT / "docs" / "bring-your-own-model.md").read_text().partition("# Any other MLflow flavor")[0]
MODEL, LIBRARY = PAGE.split("# Bring your own library")
PIPELINES = "services/gocd/pipelines.gocd.yaml"


def blocks(text: str) -> dict[str, str]:
    """The code of each section by the first file that the section names."""
    found = {}
    for section in text.split("\n## ")[1:]:
        code = re.search(r"```(?:yaml|python)\n(.*?)```", section, re.DOTALL)
        if code:
            file = re.search(r"`((?:training|services)/[\w./-]+\.\w+)`", section)
            found[file[1] if file else "train.py"] = code[1]
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of ours, in which somebody follows the page."""
    for folder in ("services", "training", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file in ("tests/support/to_release.py", "benchmarks/through_gates.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        shutil.copy(ROOT / file, tmp_path / file)
    write(tmp_path, {path: code for path, code in blocks(MODEL).items() if path != PIPELINES})
    return tmp_path


def write(checkout: Path, files: dict[str, str]) -> None:
    for path, code in files.items():
        (checkout / path).parent.mkdir(exist_ok=True)
        (checkout / path).write_text(code)


def run(checkout: Path, mlflow_url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(checkout),
        "MLFLOW_TRACKING_URI": mlflow_url,
        "TRACKBACK_MODELS": str(checkout / "training" / "models"),
        "TRACKBACK_STORE": str(checkout / "store"),
        "TRACKBACK_ENVIRONMENTS": str(ROOT / ".venv"),
    }
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=checkout, env=variables, capture_output=True, text=True, check=False, timeout=600
    )


def to_release(checkout: Path, mlflow_url: str) -> tuple[Release, str]:
    """The release of `diabetes`, and what was told on the way."""
    done = run(checkout, mlflow_url, "tests.support.to_release", "diabetes")
    assert done.returncode == 0, done.stderr
    return Release.from_json(done.stdout[done.stdout.index("{") :]), done.stderr


def test_the_page_names_a_file_for_all_of_its_code() -> None:
    assert list(blocks(MODEL)) == [
        "training/models/diabetes/model.yaml",
        "training/models/diabetes/data.py",
        "training/models/diabetes/train.py",
        PIPELINES,
    ]
    assert list(blocks(LIBRARY)) == [
        "training/flavors/lightgbm.py",
        "services/delivery/flavors/lightgbm.py",
        "train.py",
    ]


def test_the_model_of_the_page_becomes_a_release(checkout: Path, mlflow_url: str) -> None:
    release, told = to_release(checkout, mlflow_url)
    assert "is not the one pinned in diabetes/model.yaml" in told
    assert release.manifest.validation.verdict is Verdict.PASS, release.manifest.validation.checks
    assert release.manifest.candidate.run.sources
    assert release.manifest.candidate.run.sources.packages.keys() == {"scikit-learn"}
    assert release.manifest.servable.form, release.manifest.servable.notes
    assert release.manifest.servable.form.runtime == "onnx"


def test_a_check_of_the_model_of_the_page_names_the_line_to_commit_and_then_passes(checkout: Path) -> None:
    nobody = "http://127.0.0.1:1"
    first = run(checkout, nobody, "training", "check", "diabetes")
    assert first.returncode == 1, first.stderr
    (failed,) = (line for line in first.stdout.splitlines() if not line.startswith("PASS"))
    pin = failed.split("`")[1]
    page = checkout / "training" / "models" / "diabetes" / "model.yaml"
    page.write_text(page.read_text().replace("holdout_sha256: null", pin))
    second = run(checkout, nobody, "training", "check", "diabetes")
    assert second.returncode == 0, second.stdout
    assert second.stdout.splitlines()[-1] == "PASS         serving 'ridge': onnx or sklearn"


def test_the_modules_on_the_page_are_those_that_ship() -> None:
    shown = {path: code for path, code in blocks(LIBRARY).items() if path != "train.py"}
    assert {path: (ROOT / path).read_text() for path in shown} == shown


def test_the_library_of_the_page_is_one_more_file_a_component(checkout: Path, mlflow_url: str) -> None:
    files = blocks(LIBRARY)
    for path in files.keys() - {"train.py"}:
        (checkout / path).unlink()
    model = checkout / "training" / "models" / "diabetes"
    files["training/models/diabetes/train.py"] = files.pop("train.py")
    write(checkout, files)
    page = model / "model.yaml"
    declared = page.read_text().replace("library: sklearn", "library: lightgbm")
    page.write_text(declared.replace("ridge: {alpha: 0.1}", "boosted: {num_iterations: 50}"))
    release, _ = to_release(checkout, mlflow_url)
    assert release.manifest.library == "lightgbm"
    assert release.manifest.validation.verdict is Verdict.PASS, release.manifest.validation.checks
    assert release.manifest.servable.form, release.manifest.servable.notes
    assert release.manifest.servable.form.runtime == "onnx"
    assert "agrees on " in release.manifest.servable.notes[0]


FAR_OR_NEAR = """
import pandas
from sklearn.datasets import load_diabetes


def load(files):
    frame = load_diabetes(as_frame=True).frame
    return frame.assign(target=(frame.target > 140).map({True: "far", False: "near"}))
"""
DEEP = """
def build(**parameters):
    return {"max_depth": 3, **parameters}
"""


def test_a_model_of_xgboost_becomes_a_release_as_well(checkout: Path, mlflow_url: str) -> None:
    """Of two names, so that those of the classes go with it."""
    folder = "training/models/diabetes"
    page = blocks(MODEL)[f"{folder}/model.yaml"]
    for old, new in (
        ("library: sklearn", "library: xgboost"),
        ("task: regression", "task: classification"),
        ("mean_absolute_error: {max: 60}", "accuracy_score: {min: 0.5}"),
        ("metric: mean_absolute_error", "metric: accuracy_score"),
        ("ridge: {alpha: 0.1}", "boosted: {num_boost_round: 20}"),
    ):
        page = page.replace(old, new)
    write(checkout, {f"{folder}/model.yaml": page, f"{folder}/data.py": FAR_OR_NEAR, f"{folder}/train.py": DEEP})
    release, _ = to_release(checkout, mlflow_url)
    assert release.manifest.library == "xgboost"
    assert release.manifest.validation.verdict is Verdict.PASS, release.manifest.validation.checks
    assert release.manifest.servable.form, release.manifest.servable.notes
    assert release.manifest.servable.form.runtime == "onnx"


def test_the_pipelines_of_the_page_are_accepted_behind_ours(tmp_path: Path) -> None:
    file = tmp_path / "pipelines.gocd.yaml"
    file.write_text((ROOT / PIPELINES).read_text() + "\n" + blocks(MODEL)[PIPELINES])
    ours = [
        f"{model}{suffix}"
        for model in ("diamond-price", "language-id", "flight-delay")
        for suffix in ("", "-online", "-batch", "-preview")
    ]
    assert list(load_pipelines(file).pipelines) == [*ours, "diabetes", "diabetes-online", "diabetes-batch"]

"""When a run that was trained again is the run of before, and what it is trained from."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.contract.candidate import DataDigest, DataSchema, Environment, Provenance
from services.contract.errors import Refused
from training.comparison import Side, compare
from training.provenance import changed_files
from training.reproduce import check_out, lay_over

DIGEST = DataDigest(sha256="1" * 64, rows=900, source="made up")
TYPES: dict[str, Any] = {"columns": {}, "optional": (), "target": "label", "target_type": "string", "split_by": None}
PROVENANCE = Provenance(
    training=DIGEST,
    holdout=DIGEST,
    data_schema=DataSchema(**TYPES, holdout_percent=20),
    environment=Environment(packages=9, sha256="4" * 64, lock="training.txt"),
)
BEFORE = Side("a" * 32, PROVENANCE, {"accuracy_score": 0.9, "training_seconds": 3.0}, "5" * 64)


def again(**changes: Any) -> Side:
    return replace(BEFORE, **{"run_id": "b" * 32, **changes})


def test_a_run_with_the_same_data_environment_and_answers_is_reproduced() -> None:
    found = compare("sklearn", BEFORE, again(metrics={"accuracy_score": 0.9, "training_seconds": 9.0}))
    assert found.reproduced
    assert [(row.what, row.found) for row in found.rows] == [
        ("training data", "equal"), ("hold-out", "equal"), ("environment", "equal"), ("answers", "equal"),
        ("accuracy_score", "equal"),
    ]  # fmt: skip
    assert found.table().splitlines()[0].split() == ["a" * 12, "b" * 12]
    assert found.table().splitlines()[-1] == "reproduced"


def test_other_data_are_no_reproduction_however_good_the_metrics() -> None:
    other = PROVENANCE.model_copy(update={"training": DIGEST.model_copy(update={"sha256": "2" * 64})})
    found = compare("sklearn", BEFORE, again(provenance=other))
    assert not found.reproduced
    assert "training data   111111111111  222222222222  differs" in found.table()


@pytest.mark.parametrize(
    ("library", "accuracy", "reproduced"),
    [
        # 1.96 * sqrt(2 * 0.9 * 0.1 / 900) = 0.0277
        ("fasttext", 0.927, True),
        ("fasttext", 0.928, False),
        ("sklearn", 0.9 + 1e-12, True),
        ("sklearn", 0.901, False),
    ],
)
def test_other_answers_are_judged_by_the_metrics(library: str, accuracy: float, reproduced: bool) -> None:
    found = compare(library, BEFORE, again(metrics={"accuracy_score": accuracy}, predictions="6" * 64))
    assert found.reproduced is reproduced


def test_a_metric_that_is_missing_is_no_reproduction() -> None:
    assert not compare("fasttext", BEFORE, again(metrics={})).reproduced


def test_of_a_run_that_was_logged_before_answers_are_not_compared() -> None:
    found = compare("sklearn", replace(BEFORE, predictions=None), again())
    assert found.reproduced
    assert ("answers", "not compared") in [(row.what, row.found) for row in found.rows]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "training" / "models" / "gems").mkdir(parents=True)
    (root / "training" / "job.py").write_text("1\n")
    (root / "training" / "models" / "gems" / "train.py").write_text("1\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    return root


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.process
def test_the_recorded_commit_is_checked_out_and_the_changes_of_then_are_laid_over_it(
    repository: Path, tmp_path: Path
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "training" / "job.py").write_text("2\n")
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    check_out(repository, commit, tmp_path / "copy")
    assert (tmp_path / "copy" / "training" / "job.py").read_text() == "1\n"
    code = tmp_path / "code"
    for path in ("train.py", "training/job.py", "session/notebook.ipynb", "changed/services/contract/names.py"):
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).write_text("changed\n")
    lay_over(code, tmp_path / "copy", "gems")
    changed = {
        path for path in (tmp_path / "copy").rglob("*.*") if path.is_file() and path.read_bytes() == b"changed\n"
    }
    assert {path.relative_to(tmp_path / "copy").as_posix() for path in changed} == {
        "training/models/gems/train.py", "training/job.py", "services/contract/names.py",
    }  # fmt: skip


@pytest.mark.process
def test_a_commit_that_is_not_there_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"expected the commit f{40} in .*: fetch it there with git"):
        check_out(repository, "f" * 40, tmp_path / "copy")


@pytest.mark.process
def test_files_that_the_commit_does_not_hold_are_known(repository: Path) -> None:
    assert changed_files(repository) == {}
    (repository / "training" / "job.py").write_text("2\n")
    (repository / "training" / "added.py").write_text("3\n")
    (repository / "elsewhere.py").write_text("4\n")
    (repository / "training" / "models" / "gems" / "train.py").unlink()
    assert set(changed_files(repository)) == {"training/job.py", "training/added.py"}

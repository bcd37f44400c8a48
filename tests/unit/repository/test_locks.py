"""The locks hold what requirements/*.in pin, and agree with one another."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

FOLDER = ROOT / "requirements"
NAMES = sorted(path.stem for path in FOLDER.glob("*.in"))
# fastText's module for predictions has the name of the one for training, so it cannot be in `dev`.
BESIDE_DEV = {"audit", "prediction-fasttext", "uv"}
PEERS = sorted(path.stem for path in (ROOT / "benchmarks" / "peers").glob("*.in"))
# What makes a prediction has one version in all that benchmarks/serving compares.
OF_THE_MODEL = {"numpy", "onnxruntime", "scikit-learn", "pandas", "pyspark", "mlflow", "skops"}


def pins(file: Path) -> dict[str, str]:
    """Versions by normalised name, as pip compares names."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", file.read_text(), re.M)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def folder(name: str) -> Path:
    return ROOT / "benchmarks" / "peers" if name in PEERS else FOLDER


def locked(name: str) -> dict[str, str]:
    return pins(folder(name) / f"{name}.txt")


def test_every_environment_has_its_lock_and_no_lock_is_left_over() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == NAMES
    assert sorted(path.stem for path in folder(PEERS[0]).glob("*.txt")) == PEERS


@pytest.mark.parametrize("name", PEERS)
def test_what_is_compared_with_has_the_libraries_of_our_models(name: str) -> None:
    ours, theirs = locked("dev"), locked(name)
    assert {one: theirs[one] for one in OF_THE_MODEL & theirs.keys() if theirs[one] != ours[one]} == {}


@pytest.mark.parametrize("name", [*NAMES, *PEERS])
def test_a_lock_holds_what_is_pinned(name: str) -> None:
    wanted = pins(folder(name) / f"{name}.in")
    assert wanted.items() <= locked(name).items(), "after a change in requirements/*.in: scripts/lock"


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"dev"}))
def test_an_environment_has_the_versions_of_dev(name: str) -> None:
    """What is tested in `dev` is what runs elsewhere."""
    other = locked("dev")
    assert {
        package: version for package, version in locked(name).items() if other.get(package, version) != version
    } == {}
    if name not in BESIDE_DEV:
        assert locked(name).keys() <= other.keys()


@pytest.mark.parametrize("name", [*NAMES, *PEERS])
def test_every_locked_version_has_its_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (folder(name) / f"{name}.txt").read_text().strip())
    assert [entry.split()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []

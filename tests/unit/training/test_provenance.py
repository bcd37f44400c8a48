"""Code, environment, machine and memory: what a run says of how it came to be."""

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas
import pytest

from services.contract import names
from services.contract.candidate import DataDigest, DataSchema, Environment, Provenance, Sources
from services.contract.digest import file_sha256
from services.contract.model_config import Data, ModelConfig
from services.contract.row_hashes import read_row_hashes, row_hashes
from tests.support.paths import ROOT
from training.dataset import split
from training.environment import installed
from training.machine import machine, peak_memory_bytes
from training.provenance import Ingredients, code_tags, library_versions, readable_tags
from training.rows import Rows

pytestmark = pytest.mark.process

MEGABYTE = 1 << 20


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def ingredients(folder: Path, columns: dict[str, str]) -> Ingredients:
    config = ModelConfig.model_validate(
        {
            "name": "gems",
            "description": "made up",
            "library": "sklearn",
            "task": "regression",
            "data": Data.model_validate(
                {"source": "made up", "target": "price", "columns": columns, "holdout_sha256": None}
            ),
            "variants": {"only": {}},
            "gates": {
                "thresholds": {"r2_score": {"min": 0}},
                "latency_p99_ms": 1,
                "compare": {"metric": "mean_absolute_error"},
            },
        }
    )
    frame = pandas.DataFrame({name: range(50) for name in [*columns, "price"]})
    rows = Rows(Sources(packages={}, files=()), split(frame, config.data, config.task, "made up"))
    return Ingredients(config, folder, rows, ("numpy",), installed(ROOT / "requirements"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "gems"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "train.pyc").write_bytes(b"old")
    (folder / "train.py").write_text("# build\n")
    return folder


def test_the_commit_and_whether_anything_was_changed_since_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "train.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert code_tags(tmp_path) == {names.GIT_COMMIT_TAG: commit, names.GIT_DIRTY_TAG: "false"}
    (tmp_path / "train.py").write_text("2\n")
    assert code_tags(tmp_path) == {names.GIT_COMMIT_TAG: commit, names.GIT_DIRTY_TAG: "true"}


def test_outside_of_git_there_is_no_commit_to_tell(tmp_path: Path) -> None:
    assert code_tags(tmp_path) == {}


def test_library_versions_are_those_that_are_imported() -> None:
    import numpy

    assert library_versions(("numpy",)) == {"python": platform.python_version(), "numpy": numpy.__version__}


def test_every_installed_package_is_a_line(tmp_path: Path) -> None:
    lines = installed(tmp_path).packages.splitlines()
    site = Path(str(metadata.distribution("numpy").locate_file("")))
    assert len(lines) == len(list(site.glob("*.dist-info")))
    assert f"numpy=={metadata.version('numpy')}" in lines
    assert f"pydantic-settings=={metadata.version('pydantic_settings')}" in lines
    assert lines == sorted(lines)


def test_the_environment_is_digested_as_sha256sum_digests_its_lines(tmp_path: Path) -> None:
    found = installed(tmp_path)
    found.write(tmp_path / "environment")
    done = subprocess.run(["sha256sum", tmp_path / "environment" / "packages.txt"], capture_output=True, check=True)
    assert found.environment.sha256 == done.stdout.decode().split()[0]


def test_of_the_lock_files_that_pin_everything_the_smallest_one_is_meant_and_kept(tmp_path: Path) -> None:
    first, _, others = installed(tmp_path).packages.partition("\n")
    locked = others.replace("\n", " \\\n    --hash=sha256:00\n").replace("numpy==", "NumPy==")
    (tmp_path / "exact.txt").write_text(first.replace("==", "[extra]==") + " ; sys_platform == 'linux'\n" + locked)
    (tmp_path / "larger.txt").write_text(f"{first}\n{others}more==1\n")
    (tmp_path / "lacks.txt").write_text(others)
    found = installed(tmp_path)
    assert found.environment.lock == "exact.txt"
    found.write(tmp_path / "environment")
    assert (tmp_path / "environment" / "exact.txt").read_bytes() == (tmp_path / "exact.txt").read_bytes()


def test_an_environment_that_no_lock_file_pins_says_so(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("numpy==0.1\n")
    found = installed(tmp_path)
    assert found.environment == Environment(
        packages=found.packages.count("\n"), sha256=found.environment.sha256, lock=None
    )
    found.write(tmp_path / "environment")
    assert [path.name for path in (tmp_path / "environment").iterdir()] == ["packages.txt"]


def test_the_machine_is_told_as_its_own_tools_tell_it() -> None:
    found = machine()
    cores = subprocess.run(
        ["nproc"], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    kernel = subprocess.run(["uname", "-r"], capture_output=True, text=True, check=True).stdout
    assert found.cores == int(cores)
    assert kernel.strip() in found.system
    assert found.python.endswith(".".join(str(part) for part in sys.version_info[:3]))
    assert f": {found.processor}\n" in Path("/proc/cpuinfo").read_text()


def test_memory_that_was_given_back_counts_for_the_peak() -> None:
    script = """
from training.machine import peak_memory_bytes
before = peak_memory_bytes()
block = b"x" * (200 << 20)
del block
print(before, peak_memory_bytes())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 200 * MEGABYTE - MEGABYTE < after - before < 240 * MEGABYTE


def test_the_memory_of_a_living_child_such_as_a_jvm_counts_for_the_peak() -> None:
    before = peak_memory_bytes()
    script = "block = b'x' * (200 << 20); print(len(block), flush=True); input()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)) as child:
        assert child.stdout
        assert child.stdout.readline() == b"209715200\n"
        during = peak_memory_bytes()
        child.communicate(b"\n")
    assert 200 * MEGABYTE < during - before < 260 * MEGABYTE


def test_code_data_and_environment_are_laid_out_as_the_run_will_have_them(model: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    found = ingredients(model, {"carat": "double"})
    found.write(run)
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"data/sources.json", "data/holdout.csv", "environment/packages.txt", "code/train.py"} <= files
    assert {"code/training/dataset.py", "code/training/flavors/sklearn.py"} <= files
    assert "code/training/flavors/spark.py" not in files
    assert not [name for name in files if "pycache" in name]
    assert (run / "data/holdout.csv").read_bytes() == found.rows.dataset.holdout.csv
    assert file_sha256(run / "data/training_rows.npy") == found.provenance.row_hashes
    hashes = read_row_hashes(run / "data/training_rows.npy", found.rows.dataset.training.digest.rows)
    assert hashes.tolist() == row_hashes(found.rows.dataset.training.csv).tolist()


def test_the_schema_says_what_is_declared_and_how_rows_are_split(model: Path) -> None:
    assert ingredients(model, {"carat": "double", "hour": "long"}).provenance.data_schema.model_dump() == {
        "columns": {"carat": "double", "hour": "long"},
        "optional": (),
        "target": "price",
        "target_type": "double",
        "split_by": None,
        "split_by_time": None,
        "holdout_percent": 20,
    }


def test_the_tag_is_the_digest_of_the_file_however_many_columns_there_are(model: Path, tmp_path: Path) -> None:
    found = ingredients(model, {f"a_column_with_a_rather_long_name_{n}": "double" for n in range(300)})
    run = tmp_path / "run"
    run.mkdir()
    found.write(run)
    done = subprocess.run(["sha256sum", run / names.PROVENANCE_ARTIFACT], capture_output=True, text=True, check=True)
    tags = found.tags()
    assert tags[names.PROVENANCE_TAG] == done.stdout.split()[0]
    assert max(map(len, tags.values())) <= 250
    assert names.SCHEMA_TAG not in tags


def test_a_tag_is_cut_to_a_line() -> None:
    digest = DataDigest(sha256="1" * 64, rows=4, source="a_rather_long_name_" * 20)
    columns: dict[str, Any] = {"columns": {}, "optional": (), "target": "price", "target_type": "double"}
    schema = DataSchema(**columns, split_by=None, holdout_percent=20)
    (text,) = readable_tags(Provenance(holdout=digest, data_schema=schema)).values()
    assert len(text) == 250


def test_what_was_not_recorded_has_no_tag() -> None:
    digest = DataDigest(sha256="1" * 64, rows=4, source="mine.csv")
    columns: dict[str, Any] = {"columns": {}, "optional": (), "target": "price", "target_type": "double"}
    schema = DataSchema(**columns, split_by=None, holdout_percent=20)
    assert readable_tags(Provenance(holdout=digest, data_schema=schema)) == {
        names.HOLDOUT_TAG: "4 rows of mine.csv, 111111111111"
    }


def test_a_provenance_from_before_rows_were_hashed_is_read_without_hashes(model: Path) -> None:
    recorded = json.loads(ingredients(model, {"carat": "double"}).provenance.to_json())
    del recorded["row_hashes"]
    assert Provenance.from_json(json.dumps(recorded)).row_hashes is None


def test_a_schema_from_before_rows_could_be_split_by_time_is_read_as_split_by_a_hash(model: Path) -> None:
    recorded = json.loads(ingredients(model, {"carat": "double"}).provenance.data_schema.to_json())
    del recorded["split_by_time"]
    assert DataSchema.from_json(json.dumps(recorded)).split_by_time is None


def test_a_run_records_its_columns_in_short_and_one_from_before_is_read_without_them(model: Path) -> None:
    recorded = json.loads(ingredients(model, {"carat": "double"}).provenance.to_json())
    assert set(recorded["columns"]) == {"carat", "price"}
    del recorded["columns"]
    assert Provenance.from_json(json.dumps(recorded)).columns is None

"""On this machine nothing is packed; executors of a cluster get release, code and the release's own environment."""

import sys
import zipfile
from pathlib import Path

import pytest

from services.batch.session import with_attempts
from services.batch.shipping import ship
from services.contract import names
from services.contract.batch_job import BatchJob
from services.contract.checkout import ROOT


@pytest.fixture
def job(tmp_path: Path) -> BatchJob:
    environment, release = tmp_path / "own", tmp_path / "release"
    packages = environment / "lib" / "python3.11" / "site-packages"
    written = (packages / "numpy" / "a.so", packages / "__pycache__" / "x.pyc", release / "a" / "b")
    for file in (*written, environment / names.LOCK_FILE):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to(sys.executable)
    return BatchJob(
        release="a" * 64,
        folder=str(release),
        python=str(environment / "bin" / "python"),
        input="file:/in",
        output="file:/out",
        part_bytes=1,
        compared_with="nothing",
    )


def test_on_this_machine_the_environment_is_used_where_it_is(job: BatchJob, tmp_path: Path) -> None:
    shipped = ship(job, tmp_path / "unused")
    assert shipped.python == job.python
    assert shipped.settings == {"spark.executorEnv.PYTHONPATH": str(ROOT)}
    assert not (tmp_path / "unused").exists()


def test_a_cluster_gets_the_release_its_own_packages_and_our_code(job: BatchJob, tmp_path: Path) -> None:
    shipped = ship(job.model_copy(update={"master": "spark://there:7077"}), tmp_path)
    assert Path(shipped.python) == Path(sys.executable).resolve()
    assert shipped.settings["spark.archives"] == (
        f"{tmp_path}/release.zip#release,{tmp_path}/environment.zip#environment"
    )
    assert zipfile.ZipFile(tmp_path / "release.zip").namelist() == ["a/b"]
    assert zipfile.ZipFile(tmp_path / "environment.zip").namelist() == ["numpy/a.so", names.LOCK_FILE]
    assert shipped.settings["spark.executorEnv.PYTHONPATH"] == "./environment"
    code = zipfile.ZipFile(shipped.settings["spark.submit.pyFiles"]).namelist()
    assert {"services/__init__.py", "services/batch/worker.py", "services/contract/names.py"} <= set(code)
    assert not [name for name in code if name.startswith("services/delivery") or not name.endswith(".py")]


def test_keys_of_an_object_store_stay_in_the_environment(job: BatchJob, tmp_path: Path) -> None:
    changes = {"endpoint": "http://127.0.0.1:7070", "jars": ("/jars/a.jar", "/jars/b.jar")}
    settings = ship(job.model_copy(update=changes), tmp_path).settings
    assert settings["spark.jars"] == "/jars/a.jar,/jars/b.jar"
    assert settings["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:7070"
    assert not [name for name in settings if "key" in name]


@pytest.mark.parametrize(
    ("master", "expected"),
    [("local", "local[1,4]"), ("local[2]", "local[2,4]"), ("local[*]", "local[*,4]"), ("local[2,1]", "local[2,1]"),
     ("spark://there:7077", "spark://there:7077"), ("yarn", "yarn")],
)  # fmt: skip
def test_a_task_is_tried_again_on_this_machine_as_on_a_cluster(master: str, expected: str) -> None:
    assert with_attempts(master) == expected

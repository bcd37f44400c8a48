"""What travels to the executors of a cluster: the release, our code and the packages of the release's own environment.

Their interpreter is that of the machine: the same one as here, at the same place.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from services.batch.session import is_local
from services.batch.worker import RELEASE
from services.contract import names
from services.contract.batch_job import BatchJob
from services.contract.checkout import ROOT

_ENVIRONMENT = "environment"
_REGION = "us-east-1"
_CACHE = "__pycache__"
_CODE = ("services/__init__.py", "services/contract", "services/prediction", "services/batch")


class Shipped(NamedTuple):
    """`python` is the workers' interpreter, `settings` are Spark's."""

    python: str
    settings: dict[str, str]


def ship(job: BatchJob, folder: Path) -> Shipped:
    """On this machine nothing is packed; `folder` is for what is, as long as the session lives."""
    store = _object_store(job)
    if is_local(job.master):
        return Shipped(job.python, {**store, "spark.executorEnv.PYTHONPATH": str(ROOT)})
    interpreter, own = Path(job.python), Path(job.python).parents[1]
    code, release, environment = folder / "code.zip", folder / "release.zip", folder / "environment.zip"
    _zip(code, [(ROOT / name, name) for name in _CODE], only=".py")
    _zip(release, [(Path(job.folder), "")])
    # The interpreter is a link in there, and Spark unpacks neither links nor what may be executed.
    lock = own / names.LOCK_FILE
    packages = [(found, "") for found in own.glob("lib/python*/site-packages")]
    _zip(environment, [*packages, *([(lock, lock.name)] if lock.is_file() else [])])
    shipped = {
        "spark.archives": f"{release}#{RELEASE},{environment}#{_ENVIRONMENT}",
        "spark.submit.pyFiles": str(code),
        "spark.executorEnv.PYTHONPATH": f"./{_ENVIRONMENT}",
        "spark.executorEnv.PYTHONNOUSERSITE": "1",
    }
    return Shipped(str(interpreter.resolve()), {**store, **shipped})


def _object_store(job: BatchJob) -> dict[str, str]:
    """Spark itself passes on the keys that stand in the environment."""
    settings = {"spark.jars": ",".join(job.jars)} if job.jars else {}
    if job.endpoint:
        settings["spark.hadoop.fs.s3a.endpoint"] = job.endpoint
        settings["spark.hadoop.fs.s3a.endpoint.region"] = _REGION
        settings["spark.hadoop.fs.s3a.path.style.access"] = "true"
    return settings


def _zip(target: Path, sources: Sequence[tuple[Path, str]], only: str = "") -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for source, name in sources:
            for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if path.is_file() and path.name.endswith(only) and path.parent.name != _CACHE:
                    inside = path.relative_to(source).as_posix() if source.is_dir() else ""
                    archive.write(path, "/".join(part for part in (name, inside) if part))

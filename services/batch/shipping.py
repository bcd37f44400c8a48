"""What travels to the executors of a cluster: the release, our code and the release's own environment, each packed."""

import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from services.batch.session import is_local
from services.batch.worker import RELEASE
from services.contract.batch_job import BatchJob
from services.contract.checkout import ROOT

_ENVIRONMENT = "environment"
_REGION = "us-east-1"
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
    code, release, environment = folder / "code.zip", folder / "release.zip", folder / "environment.tar"
    _zip(code, [(ROOT / name, name) for name in _CODE], only=".py")
    _zip(release, [(Path(job.folder), "")])
    _pack_environment(environment, Path(job.python).parents[1])
    archives = f"{release}#{RELEASE},{environment}#{_ENVIRONMENT}"
    shipped = {"spark.archives": archives, "spark.submit.pyFiles": str(code)}
    return Shipped(f"./{_ENVIRONMENT}/bin/python", {**store, **shipped})


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
                if path.is_file() and path.name.endswith(only):
                    inside = path.relative_to(source).as_posix() if source.is_dir() else ""
                    archive.write(path, "/".join(part for part in (name, inside) if part))


def _pack_environment(target: Path, environment: Path) -> None:
    """Its interpreter stays a link to that of the machine, which every worker must have at the same place."""
    with tarfile.open(target, "w") as archive:
        archive.add(environment, ".", filter=_without_caches)


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name.endswith("/__pycache__") else member

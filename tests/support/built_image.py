"""A real machine image of a small release, for the tests that read it and boot it: built once, with its bases."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.contract import names
from services.contract.machine_image import MachineImage
from services.contract.release import Form, Release, Servable
from services.delivery.flavors.sklearn import to_onnx
from services.delivery.machine_image.building import build_machine_image
from services.delivery.machine_image.containers import BuiltHere
from services.delivery.store import MACHINE_BASES, Store
from tests.support.release_factory import INPUTS, ReleasePlan, build_release, train

ONNX = Form(runtime="onnx", file="servable/model.onnx", tolerance=1e-12)


@dataclass(frozen=True)
class BuiltImage:
    """`root` is the store's folder."""

    root: Path
    release: Release
    image: MachineImage

    @property
    def store(self) -> Store:
        return Store(self.root)

    @property
    def folder(self) -> Path:
        return self.store.machine_image(self.release.digest)

    @property
    def disk(self) -> Path:
        return self.folder / self.image.file

    def lend_bases(self, store: Path) -> None:
        """Another store finds them by their recipe, and makes anew what is not of that."""
        bases = store / MACHINE_BASES
        if not bases.exists():
            shutil.copytree(
                self.root / MACHINE_BASES, bases, copy_function=lambda one, copy: Path(copy).hardlink_to(one)
            )


@pytest.fixture(scope="session")
def machine_image(tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    """Built once a run, with its bases, by whichever worker is first; whoever changes it takes a copy."""
    of_this_worker = tmp_path_factory.getbasetemp()
    of_all = of_this_worker.parent if "PYTEST_XDIST_WORKER" in os.environ else of_this_worker
    with (of_all / "machine-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_image(of_all / "machine-image")


def build_image(root: Path) -> BuiltImage:
    """Takes as long as two trees of Debian packages do, unless it was built in `root` before."""
    known = root / names.RELEASE_FILE
    if known.is_file():
        release = Release.read(known)
        stored = Store(root).machine_image(release.digest) / names.MACHINE_IMAGE_FILE
        return BuiltImage(root, release, MachineImage.read(stored))
    release = graph_release(root)
    built = build_machine_image(Store(root), release, BuiltHere())
    release.write(known)
    return BuiltImage(root, release, built.image)


def graph_release(root: Path, price_per_carat: float = 4000.0, number: int = 1) -> Release:
    """Served by onnxruntime, whose environment is the smallest."""
    estimator = train(price_per_carat)

    def convert(folder: Path) -> None:
        (folder / "servable").mkdir()
        (folder / ONNX.file).write_bytes(to_onnx(estimator, folder, INPUTS))

    plan = ReleasePlan(
        number=number,
        price_per_carat=price_per_carat,
        estimator=estimator,
        servable=Servable(form=ONNX, notes=("as a graph",)),
        spoil=convert,
    )
    return build_release(root, plan)

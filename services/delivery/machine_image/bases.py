"""Both bases of a machine image, the operating system's and a runtime's: made once for each recipe, kept in the store.

A recipe is all that they are made from: our files, the locks, and the names of the packages.
"""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage
from services.delivery.machine_image import container_base, debian, os_base
from services.delivery.machine_image.debian import read_listing
from services.delivery.machine_image.debian_lock import LOCK, drift, read_lock
from services.delivery.machine_image.release_partition import FileSystem
from services.delivery.output import say
from services.delivery.store import MACHINE_BASES, Store

OS_TREE, CONTAINER_TREE = "base", "container"
# Laid out as the store: an image of the stack brings what an agent in it may not make.
PREBUILT = ROOT / ".tools"
_UV = ROOT / ".tools" / "uv" / "bin" / "uv"


@dataclass(frozen=True)
class OsBase:
    """`packages` are those that are left in it; `drift` names what is not as locked."""

    file_system: FileSystem
    kernel: Path
    initramfs: Path
    packages: tuple[DebianPackage, ...]
    drift: tuple[str, ...]

    @property
    def kernel_version(self) -> str:
        return next(
            (one.name.removeprefix("linux-image-") for one in self.packages if one.name.startswith("linux-image-6")), ""
        )


@dataclass(frozen=True)
class ContainerBase:
    """Its one layer, which is stored as it is, and the digest of it."""

    layer: Path
    digest: str
    packages: tuple[DebianPackage, ...]
    drift: tuple[str, ...]


def os_recipe() -> str:
    """The digest of all that it is made from."""
    return _digest("os", os_base.PACKAGES, {**os_base.placed_files(), **_code_of(os_base)})


def container_recipe(runtime: str) -> str:
    sources = {file: str(file.relative_to(ROOT)) for file in container_base.source_files(runtime)}
    return _digest(runtime, container_base.PACKAGES, {**sources, **_code_of(container_base)})


def recipes() -> set[str]:
    """Of all bases that can still be asked for."""
    runtimes = [path.stem.removeprefix("prediction-") for path in (ROOT / "requirements").glob("prediction-*.txt")]
    return {os_recipe(), *map(container_recipe, runtimes)}


def take_os_base(store: Store, locked: bool) -> OsBase:
    """The one in the store, else a new one. Raises Refused."""
    folder = _taken(store, os_recipe(), "the base of machine images", os_base.build_os_base)
    found = read_listing((folder / os_base.DEBS).read_text())
    kept = {tuple(line.split("\t")[:2]) for line in (folder / os_base.INSTALLED).read_text().splitlines()}
    return OsBase(
        file_system=FileSystem.of(folder / os_base.FILE_SYSTEM),
        kernel=folder / os_base.KERNEL,
        initramfs=folder / os_base.INITRAMFS,
        packages=tuple(one for one in found if (one.name, one.version) in kept),
        drift=_drift(OS_TREE, found, locked),
    )


def take_container_base(store: Store, runtime: str, locked: bool) -> ContainerBase:

    def build(folder: Path) -> None:
        container_base.build_container_base(runtime, folder, _installer())

    folder = _taken(store, container_recipe(runtime), f"the base of images for {runtime}", build)
    found = read_listing((folder / container_base.DEBS).read_text())
    drifted = _drift(CONTAINER_TREE, found, locked)
    layer = folder / container_base.LAYER
    return ContainerBase(layer, f"sha256:{store.archived_sha256(layer)}", found, drifted)


def _taken(store: Store, recipe: str, what: str, build: Callable[[Path], None]) -> Path:
    for place in (store, Store(PREBUILT)):
        if known := place.archived(MACHINE_BASES, recipe):
            return known
    say(f"making {what} (once; some 20 s)")
    with store.staging() as staging:
        folder = staging / "base"
        folder.mkdir()
        build(folder)
        return store.archive(MACHINE_BASES, recipe, folder)


def _digest(kind: str, packages: Iterable[str], files: dict[Path, str]) -> str:
    total = hashlib.sha256("\0".join((kind, *packages)).encode())
    for file, place in sorted({**files, LOCK: LOCK.name}.items(), key=lambda pair: pair[1]):
        total.update(f"\0{place}\0{file.stat().st_mode & 0o100}\0".encode() + file.read_bytes())
    return total.hexdigest()


def _code_of(module: ModuleType) -> dict[Path, str]:
    """Another way to make it is another recipe."""
    return {Path(str(one.__file__)): one.__name__ for one in (module, debian)}


def _drift(tree: str, found: tuple[DebianPackage, ...], locked: bool) -> tuple[str, ...]:
    words = drift(read_lock().get(tree, ()), found)
    if words and locked:
        raise Refused(
            f"expected the Debian packages of {LOCK.name}, found {len(words)} others ({words[0]}): "
            "renew the lock by scripts/lock-debian, or leave --locked out"
        )
    return words


def _installer() -> Path:
    """uv, set up where it is not there yet."""
    words = [sys.executable, str(ROOT / "scripts" / "environments.py"), "uv"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not _UV.is_file():
        raise Refused((done.stderr.strip().splitlines() or [f"expected uv at {_UV}, found none: scripts/setup uv"])[-1])
    return _UV

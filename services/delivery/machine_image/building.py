"""A release becomes a machine image in the store: once, whole, and the same bytes from the same inputs."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.digest import file_sha256
from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage, HygieneCheck, ImageContent, MachineImage
from services.contract.release import Release
from services.delivery.machine_image.bases import OsBase, os_recipe, take_os_base
from services.delivery.machine_image.checks import check
from services.delivery.machine_image.containers import Container, Containers, Place
from services.delivery.machine_image.disk import ESP_FOLDER, Parts, command_line, write_disk
from services.delivery.machine_image.os_base import INITRAMFS, INSTALLED, KERNEL
from services.delivery.machine_image.raw_file import RawFile
from services.delivery.machine_image.release_partition import FileSystem, write_release
from services.delivery.machine_image.sbom import bill_of_materials
from services.delivery.machine_image.tools import BUILDING, require_tools
from services.delivery.store import Store

LIMIT = 250_000_000
OCI_LAYOUT = "oci"
# What a build writes at the most while it works.
_NEEDED = 2_000_000_000


@dataclass(frozen=True)
class Built:
    """The record, its folder, and whether the store had it already."""

    image: MachineImage
    folder: Path
    known: bool


@dataclass(frozen=True)
class Inputs:
    """What a disk is made of; `recipe` is the digest of what they are made by."""

    release: Release
    recipe: str
    base: OsBase
    container: Container

    @property
    def packages(self) -> set[DebianPackage]:
        return {*self.base.packages, *self.container.packages}


def build_machine_image(store: Store, release: Release, containers: Containers, locked: bool = False) -> Built:
    """Raises Refused, and nothing half-built stays."""
    recipe = image_recipe(containers.recipe(release))
    if (known := known_image(store, release.digest)) and known.recipe == recipe and not (locked and known.drift):
        return Built(known, store.machine_image(release.digest), known=True)
    _refuse_unless_free(store)
    require_tools(BUILDING)
    with store.staging() as staging:
        folder, parts = staging / "image", staging / "parts"
        folder.mkdir()
        parts.mkdir()
        base = take_os_base(store, locked)
        container = containers.take(store, release, Place(folder / OCI_LAYOUT, parts), locked)
        image = _written(Inputs(release, recipe, base, container), folder, parts)
        return Built(image, store.put_machine_image(folder, release.digest), known=False)


def image_recipe(container: str) -> str:
    """The digest of all that a disk is made by, our code for it included."""
    total = hashlib.sha256(f"{os_recipe()}{container}".encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()


def known_image(store: Store, release: str) -> MachineImage | None:
    """Of a release, None when there is none or its disk was changed."""
    folder = store.machine_image(release)
    try:
        image = MachineImage.read(folder / names.MACHINE_IMAGE_FILE)
        disk = folder / image.file
        return image if disk.is_file() and file_sha256(disk) == image.sha256 else None
    except Refused:
        return None


def _refuse_unless_free(store: Store) -> None:
    if (free := store.free_bytes) < _NEEDED:
        raise Refused(
            f"expected {_NEEDED // 1_000_000:,} MB free for a machine image, found {free // 1_000_000:,} MB where the "
            "store is: free some, for instance by: trackback image --prune"
        )


def _written(inputs: Inputs, folder: Path, staging: Path) -> MachineImage:
    def bill(paths: Iterable[str]) -> bytes:
        content = bill_of_materials(inputs.release, inputs.packages, paths)
        (folder / names.SBOM_FILE).write_bytes(content)
        return content

    release = write_release(inputs.container.image, inputs.release, bill, staging / "release.squashfs")
    content = _content(inputs, release)
    content.write(staging / names.MACHINE_IMAGE_FILE)
    disk = folder / f"{content.model}-{content.revision}.raw"
    write_disk(_parts(inputs.base, release, content, staging), disk, staging)
    checks = check(RawFile(disk))
    size = disk.stat().st_size
    _refuse_unless_sound(size, checks)
    image = MachineImage(**dict(content), file=disk.name, bytes=size, sha256=file_sha256(disk), checks=checks)
    image.write(folder / names.MACHINE_IMAGE_FILE)
    return image


def _content(inputs: Inputs, release: FileSystem) -> ImageContent:
    manifest, base = inputs.release.manifest, inputs.base
    return ImageContent(
        model=manifest.model,
        revision=manifest.revision,
        run_id=manifest.candidate.run.run_id,
        release=inputs.release.digest,
        image=inputs.container.image.digest,
        recipe=inputs.recipe,
        kernel=base.kernel_version,
        command_line=command_line(base.file_system, release),
        base_sha256=base.file_system.sha256,
        base_bytes=base.file_system.bytes,
        release_sha256=release.sha256,
        release_bytes=release.bytes,
        packages=base.packages,
        drift=(*base.drift, *inputs.container.drift),
    )


def _parts(base: OsBase, release: FileSystem, content: ImageContent, staging: Path) -> Parts:
    lines = [f"{one.name}\t{one.version}\t{one.architecture}\n" for one in content.packages]
    (staging / INSTALLED).write_text("".join(lines))
    files = {
        f"{ESP_FOLDER}/{names.MACHINE_IMAGE_FILE}": staging / names.MACHINE_IMAGE_FILE,
        f"{ESP_FOLDER}/{INSTALLED}": staging / INSTALLED,
        KERNEL: base.kernel,
        INITRAMFS: base.initramfs,
    }
    return Parts(base.file_system, release, files, content.command_line)


def _refuse_unless_sound(size: int, checks: Sequence[HygieneCheck]) -> None:
    if wrong := [f"{one.name}: found {one.found}" for one in checks if not one.ok]:
        raise Refused(
            f"expected a machine image that passes its checks, found {len(wrong)} that fail: {'; '.join(wrong)}"
        )
    if size > LIMIT:
        raise Refused(f"expected a machine image of at most {LIMIT:,} bytes, found {size:,}")

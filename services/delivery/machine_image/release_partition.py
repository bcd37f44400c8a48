"""The release's file system: its container's files, how to run it, and what it is."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.digest import file_sha256
from services.contract.release import Release
from services.delivery.machine_image.flatten import flatten
from services.delivery.machine_image.oci_layout import OciImage
from services.delivery.machine_image.runtime_config import runtime_config
from services.delivery.machine_image.squashfs import add_file, add_folder, writing

ROOTFS = "rootfs"
RUNTIME_CONFIG = "config.json"
IMAGE_DIGEST = "image.digest"
OCI_MANIFEST_FILE, OCI_CONFIG_FILE = "oci-manifest.json", "oci-config.json"
# What the runtime mounts something on.
_MOUNT_POINTS = ("dev", "in", "out", "proc", "sys", "tmp")


@dataclass(frozen=True)
class FileSystem:
    """A squashfs file, its SHA-256 and its size in bytes."""

    file: Path
    sha256: str
    bytes: int

    @classmethod
    def of(cls, file: Path) -> "FileSystem":
        return cls(file, file_sha256(file), file.stat().st_size)


def write_release(
    image: OciImage, release: Release, bill: Callable[[Iterable[str]], bytes], target: Path
) -> FileSystem:
    """`bill` makes the bill of materials of the container's paths. Raises Refused for a layer of another digest."""
    config = runtime_config(image.settings, release.digest, image.digest)
    with writing(target) as tar:
        add_file(tar, IMAGE_DIGEST, f"{image.digest}\n".encode())
        add_file(tar, OCI_MANIFEST_FILE, image.manifest)
        add_file(tar, OCI_CONFIG_FILE, image.config)
        add_file(tar, RUNTIME_CONFIG, json.dumps(config, sort_keys=True, indent=1).encode())
        add_file(tar, names.RELEASE_FILE, release.to_json().encode())
        add_folder(tar, ROOTFS)
        there = flatten(image.layers, tar, ROOTFS)
        add_file(tar, names.SBOM_FILE, bill(there))
        for name in _MOUNT_POINTS:
            if name not in there:
                add_folder(tar, f"{ROOTFS}/{name}")
    return FileSystem.of(target)

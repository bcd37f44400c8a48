"""The programs that make a machine image: which are missing, and how Debian calls their packages."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from services.contract.errors import Refused

_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "unsquashfs": "squashfs-tools",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "grub-mkimage": "grub-common",
}
_FILES = {
    Path("/usr/lib/grub/i386-pc/boot.img"): "grub-pc-bin",
    Path("/usr/lib/grub/x86_64-efi/normal.mod"): "grub-efi-amd64-bin",
}
READING = ("unsquashfs", "mcopy")
# Not on everybody's path, but of use to everybody.
_PLACES = f"{os.defpath}:/usr/local/bin:/usr/sbin:/sbin"
EPOCH = 1_750_000_000


def environment() -> dict[str, str]:
    """For these programs: one time for all files, one language, and where they lie."""
    ours = {
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "0",
        "MTOOLS_SKIP_CHECK": "1",
    }
    return {**os.environ, **ours, "PATH": f"{os.environ.get('PATH', '')}:{_PLACES}"}


def require_tools(programs: Iterable[str] | None = None) -> None:
    """Raises Refused, with the one line that installs what is missing."""
    if missing := missing_packages(programs):
        packages = " ".join(missing)
        raise Refused(f"expected the tools of a machine image, found none of {packages}: apt-get install {packages}")


def missing_packages(programs: Iterable[str] | None = None) -> list[str]:
    path = environment()["PATH"]
    wanted = set(_PROGRAMS) if programs is None else set(programs)
    missing = {_PROGRAMS[name] for name in wanted if not shutil.which(name, path=path)}
    if programs is None:
        missing |= {package for file, package in _FILES.items() if not file.exists()}
    return sorted(missing)

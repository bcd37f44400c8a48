"""The programs that make, read and boot a machine image: which are missing, and how Debian calls their packages."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.contract.errors import Refused

BUILDING = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "unsquashfs": "squashfs-tools",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "grub-mkimage": "grub-common",
    "/usr/lib/grub/i386-pc/boot.img": "grub-pc-bin",
    "/usr/lib/grub/x86_64-efi/normal.mod": "grub-efi-amd64-bin",
}
READING = {name: BUILDING[name] for name in ("unsquashfs", "mcopy")}
BOOTING = {
    **READING,
    "qemu-system-x86_64": "qemu-system-x86",
    "mke2fs": "e2fsprogs",
    "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
}
# Not on everybody's path, but of use to everybody.
PLACES = f"{os.defpath}:/usr/local/bin:/usr/sbin:/sbin"
# The time of every file that is made here, so that two builds have equal bytes: 2025-06-15 15:06:40 UTC.
EPOCH = 1_750_000_000


def environment() -> dict[str, str]:
    """For these programs: one time, one order of hashes and one language, and where they lie."""
    ours = {
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C",
        "MTOOLS_SKIP_CHECK": "1",
    }
    return {**os.environ, **ours, "PATH": f"{os.environ.get('PATH', '')}:{PLACES}"}


def ended(words: Sequence[str]) -> tuple[int, str]:
    """Exit code and all that was said. The child is told to stop when we are, and leaves its own things in order."""
    with subprocess.Popen(
        words,
        env=environment(),
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    return process.returncode, said


def require_tools(programs: dict[str, str], path: str | None = None) -> None:
    """Raises Refused, with the one line that installs what is missing."""
    if missing := missing_packages(programs, path):
        wanted = " ".join(missing)
        raise Refused(
            f"expected the tools of machine images, found no {', '.join(missing)}: apt-get install {wanted}, or, where "
            "apt-get may be used without a password: scripts/setup image"
        )


def missing_packages(programs: dict[str, str], path: str | None = None) -> list[str]:
    """Debian's names for what is neither on the path nor, where it is a file, in its place."""
    place = environment()["PATH"] if path is None else path
    return sorted({package for name, package in programs.items() if not _is_there(name, place)})


def _is_there(name: str, path: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name, path=path) is not None

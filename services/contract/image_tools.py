"""The programs that build and boot a machine image, by Debian's package of each."""

import os
import shutil
from pathlib import Path

# By the command that is looked for; several may come from one package.
IMAGE_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mtype": "mtools",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "grub-mkimage": "grub-common",
    "mke2fs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
}
# What they read, without a command of its own: boot loaders and firmware.
IMAGE_FILES = {
    "/usr/lib/grub/i386-pc/boot.img": "grub-pc-bin",
    "/usr/lib/grub/x86_64-efi/moddep.lst": "grub-efi-amd64-bin",
    "/usr/share/seabios/bios.bin": "seabios",
    "/usr/share/OVMF/OVMF_CODE_4M.fd": "ovmf",
}
# Debian keeps some of these where a plain user's PATH does not lead.
_PLACES = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))


def missing_packages(path: str, root: Path = Path("/")) -> list[str]:
    """Debian's packages that are to be installed, sorted; `path` is a PATH, and files are looked for below `root`."""
    commands = (package for command, package in IMAGE_TOOLS.items() if not shutil.which(command, path=path))
    files = (package for file, package in IMAGE_FILES.items() if not (root / file.lstrip("/")).exists())
    return sorted({*commands, *files})


def places(path: str) -> str:
    """A PATH with what a plain user's has not."""
    return f"{path}{os.pathsep}{_PLACES}"

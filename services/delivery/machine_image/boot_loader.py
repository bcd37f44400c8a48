"""GRUB for BIOS and UEFI, written into an image file as grub-bios-setup would write it to a disk."""

import struct
import subprocess
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.machine_image.gpt import SECTOR
from services.delivery.machine_image.tools import environment

ESP_LABEL = "TRACKBACK"
CORE_LIMIT = 1 << 20
_BOOT_SECTOR = Path("/usr/lib/grub/i386-pc/boot.img")
_MODULES = (
    "part_gpt", "fat", "normal", "linux", "search", "search_label", "echo", "configfile", "serial", "terminal",
    "test", "minicmd", "all_video",
)  # fmt: skip
# The first stage finds its own file system by label, so that the disk may be any disk of the machine.
_EARLY = f"search.fs_label {ESP_LABEL} root\nset prefix=($root)/grub\n"


def menu(command_line: str) -> str:
    """`grub.cfg`: one entry, on screen and serial line, without a wait."""
    return (
        "serial --unit=0 --speed=115200\n"
        "terminal_input serial console\nterminal_output serial console\n"
        "set timeout=0\n"
        'echo "TRACKBACK loading the kernel"\n'
        f"linux /vmlinuz {command_line}\ninitrd /initrd.img\nboot\n"
    )


def build_loaders(folder: Path) -> tuple[Path, Path]:
    """Core image for BIOS, application for UEFI."""
    early = folder / "early.cfg"
    early.write_text(_EARLY)
    bios, uefi = folder / "core.img", folder / "BOOTX64.EFI"
    for kind, target, extra in (("i386-pc", bios, ["biosdisk"]), ("x86_64-efi", uefi, [])):
        words = ["grub-mkimage", "-O", kind, "-p", "/grub", "-c", str(early), "-o", str(target), *extra, *_MODULES]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(f"expected grub-mkimage to make a boot loader, found: {done.stderr.strip()}")
    if bios.stat().st_size > CORE_LIMIT:
        raise Refused(f"expected a boot loader of at most {CORE_LIMIT:,} bytes, found {bios.stat().st_size:,}")
    return bios, uefi


def boot_code(core: bytes, start: int) -> tuple[bytes, bytes]:
    """The first 440 bytes of the disk, and the core image as it lies at byte `start`.

    Four places tell one from where to read the next. Source: GRUB 2.06, util/setup.c.
    """
    boot, patched, sector = bytearray(_BOOT_SECTOR.read_bytes()), bytearray(core), start // SECTOR
    struct.pack_into("<Q", boot, 0x5C, sector)
    boot[0x64] = 0xFF
    boot[0x66:0x68] = b"\x90\x90"
    struct.pack_into("<Q", patched, 0x1F4, sector + 1)
    return bytes(boot[:440]), bytes(patched)

"""The command line of QEMU for one boot of a machine image, without a network and without root.

Source of the options: QEMU's manual, section "Invocation".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PROGRAM = "qemu-system-x86_64"
# The machine ends with the process that started it, however that ends.
_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
UEFI_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")


class Firmware(StrEnum):
    """Who starts the kernel: the disk's own boot loader after a BIOS or a UEFI, or QEMU itself."""

    BIOS = "bios"
    UEFI = "uefi"
    DIRECT = "direct"


class Bus(StrEnum):
    """How the disk is attached; EC2's machines of today have NVMe."""

    VIRTIO = "virtio"
    NVME = "nvme"


class Accelerator(StrEnum):
    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True)
class Kernel:
    """What QEMU starts itself when there is to be no boot loader."""

    image: Path
    initrd: Path | None
    command_line: str


@dataclass(frozen=True)
class Machine:
    """`disk` is only read, `io` is written; `kernel` is of a direct boot, `variables` a copy of UEFI's own."""

    disk: Path | None
    io: Path | None = None
    bus: Bus = Bus.VIRTIO
    accelerator: Accelerator = Accelerator.TCG
    memory: int = 1024
    processors: int = 1
    kernel: Kernel | None = None
    variables: Path | None = None


def command(machine: Machine) -> list[str]:
    return [*_WITH_PARENT, PROGRAM, *_options(machine)]


def _options(machine: Machine) -> Iterator[str]:
    yield from ("-nodefaults", "-display", "none", "-no-reboot", "-nic", "none", "-serial", "stdio")
    yield from ("-m", str(machine.memory), "-smp", str(machine.processors), "-device", "virtio-rng-pci")
    yield from ("-machine", f"q35,accel={machine.accelerator}", "-cpu", _processor(machine.accelerator))
    if machine.disk:
        device = {Bus.VIRTIO: "virtio-blk-pci", Bus.NVME: "nvme,serial=image"}[machine.bus]
        # Writes would go into a temporary file: the image itself stays as it is.
        yield from _drive("image", machine.disk, f"{device},bootindex=1", ",snapshot=on")
    if machine.io:
        yield from _drive("io", machine.io, "virtio-blk-pci,serial=io")
    if machine.variables:
        yield from _flash(UEFI_CODE, ",readonly=on")
        yield from _flash(machine.variables)
    if machine.kernel:
        yield from _direct(machine.kernel)


def _processor(accelerator: Accelerator) -> str:
    return "host" if accelerator is Accelerator.KVM else "max"


def _drive(name: str, path: Path, device: str, more: str = "") -> Iterator[str]:
    yield from ("-drive", f"if=none,id={name},format=raw,file={_quoted(path)}{more}")
    yield from ("-device", f"{device},drive={name}")


def _flash(path: Path, more: str = "") -> Iterator[str]:
    yield from ("-drive", f"if=pflash,format=raw,file={_quoted(path)}{more}")


def _direct(kernel: Kernel) -> Iterator[str]:
    yield from ("-kernel", str(kernel.image), "-append", kernel.command_line)
    if kernel.initrd:
        yield from ("-initrd", str(kernel.initrd))


def _quoted(path: Path) -> str:
    """A comma would begin QEMU's next option."""
    return str(path).replace(",", ",,")

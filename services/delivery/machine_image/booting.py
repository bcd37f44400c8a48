"""Boots a machine image in QEMU with its input beside it, and takes its output only whole, with a receipt for it."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.contract import names
from services.contract.digest import list_files
from services.contract.errors import Refused
from services.contract.machine_image import ImageContent
from services.contract.receipt import Receipt
from services.delivery.machine_image import accelerator, qemu
from services.delivery.machine_image.console import result_of
from services.delivery.machine_image.followed import Tell, follow
from services.delivery.machine_image.io_disk import make_io_disk, read_output
from services.delivery.machine_image.os_base import INITRAMFS, KERNEL
from services.delivery.machine_image.qemu import Bus, Firmware, Machine

Follow = Callable[[Sequence[str], float, Tell], list[str]]


@dataclass(frozen=True)
class BootPlan:
    """How to boot: megabytes of memory, and after how many seconds without a word it is given up."""

    firmware: Firmware = Firmware.BIOS
    bus: Bus = Bus.VIRTIO
    memory: int = 1024
    silence: float = 900.0


class Bootable(Protocol):
    """What is asked of the disk image's raw file."""

    @property
    def path(self) -> Path: ...

    @property
    def content(self) -> ImageContent: ...

    def boot_file(self, name: str) -> bytes: ...


class Booting:
    """Of one disk image; what it needs lies in `folder`, which is the caller's to remove."""

    def __init__(self, disk: Bootable, folder: Path, plan: BootPlan, tell: Tell, run: Follow = follow) -> None:
        self._disk, self._folder, self._plan, self._tell, self._run = disk, folder, plan, tell, run

    def score(self, source: Path) -> tuple[Receipt, Path]:
        """The receipt, and the folder of the output. Raises Refused, with the machine's own words where it has some."""
        io = self._folder / "io.raw"
        make_io_disk(io, source)
        machine = self._machine(io)
        self._tell(f"boots by {self._plan.firmware} with {machine.accelerator.upper()} and {machine.memory} MB")
        result = result_of(self._run(qemu.command(machine), self._plan.silence, self._tell))
        if result.status:
            raise Refused(f"the machine ended with status {result.status}: {result.words}")
        output = read_output(io, self._folder)
        return verified(output, self._disk.content), output

    def _machine(self, io: Path) -> Machine:
        plan, kernel = self._plan, self._copied(KERNEL)
        return Machine(
            disk=self._disk.path,
            io=io,
            bus=plan.bus,
            accelerator=accelerator.choose(kernel),
            memory=plan.memory,
            kernel=self._direct(kernel) if plan.firmware is Firmware.DIRECT else None,
            variables=_variables(self._folder) if plan.firmware is Firmware.UEFI else None,
        )

    def _direct(self, kernel: Path) -> qemu.Kernel:
        return qemu.Kernel(kernel, self._copied(INITRAMFS), self._disk.content.command_line)

    def _copied(self, name: str) -> Path:
        """A file of the boot partition, as QEMU wants it."""
        (self._folder / name).write_bytes(self._disk.boot_file(name))
        return self._folder / name


def _variables(folder: Path) -> Path:
    """A copy, because UEFI writes into them."""
    return Path(shutil.copyfile(qemu.UEFI_VARIABLES, folder / "variables.fd"))


def verified(output: Path, content: ImageContent) -> Receipt:
    """Raises Refused when output and receipt are not of one another, or of another release."""
    if not (output / names.RECEIPT_FILE).is_file():
        raise Refused(f"{output}: expected a receipt, found none: what is there is no whole output")
    receipt = Receipt.read(output / names.RECEIPT_FILE)
    if (receipt.release, receipt.image) != (content.release, content.image):
        raise Refused(
            f"expected a receipt of release {content.release[:12]}… in {content.image[:19]}…, "
            f"found one of {receipt.release[:12]}… in {(receipt.image or 'no image')[:19]}…"
        )
    written = {one.path: (one.bytes, one.sha256) for one in receipt.outputs}
    found = {one.path: (one.size, one.sha256) for one in list_files(output) if one.path != names.RECEIPT_FILE}
    if differing := sorted(path for path in {*written, *found} if written.get(path) != found.get(path)):
        raise Refused(f"{output}: expected the files of the receipt, found {differing[0]} missing, added or changed")
    return receipt


def refuse_taken(target: Path) -> None:
    """Raises Refused where something is already in the place of the output."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target}: expected a new or an empty folder for the output, found something in it")


def put(output: Path, target: Path) -> None:
    """Whole or not at all."""
    refuse_taken(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as beside:
        shutil.copytree(output, Path(beside) / target.name)
        (Path(beside) / target.name).replace(target)

"""boot: a machine image scores in QEMU, without a network, what its release answers too, or a given input."""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.machine_image import MachineImage
from services.contract.open_release import open_release
from services.contract.receipt import Receipt
from services.contract.record import write_atomically
from services.contract.release import Release
from services.contract.signals import surely_exit_on
from services.delivery.machine_image.booting import Booting, BootPlan, put, refuse_taken
from services.delivery.machine_image.qemu import Bus, Firmware
from services.delivery.machine_image.raw_file import RawFile
from services.delivery.machine_image.tools import BOOTING, require_tools
from services.delivery.options import takes
from services.delivery.output import keep, say
from services.delivery.reports.report import receipt_page
from services.delivery.settings import Settings
from services.delivery.store import Store


@dataclass(frozen=True)
class BootOptions:
    image: Annotated[Path, typer.Argument(help="image.json as image wrote it, or the raw disk.")]
    release: Annotated[Path | None, typer.Option(help="release.json; the image must be of this release.")] = None
    input: Annotated[
        Path | None, typer.Option(help="A file or a folder to score; a fixed sample with known answers if not given.")
    ] = None
    output: Annotated[Path | None, typer.Option(help="A new folder for the scored rows.")] = None
    out: Annotated[Path | None, typer.Option(help="Write the receipt into this folder, not to stdout.")] = None
    firmware: Annotated[Firmware, typer.Option(help="What starts the kernel; direct is QEMU itself.")] = Firmware.BIOS
    bus: Annotated[Bus, typer.Option(help="How the disk is attached.")] = Bus.VIRTIO
    memory: Annotated[int, typer.Option(min=256, help="Megabytes of the machine.")] = 1024
    timeout_minutes: Annotated[float, typer.Option(min=0.1, help="It is ended when it says nothing for so long.")] = 15

    @property
    def plan(self) -> BootPlan:
        return BootPlan(self.firmware, self.bus, self.memory, 60 * self.timeout_minutes)


@takes(BootOptions)
def boot(options: BootOptions) -> None:
    """Boot a machine image in QEMU without a network; write the receipt.

    It scores the golden rows in two orders and rows that it must refuse, and each answer is compared with the
    release's; or it scores what is given. Exit 1 unless the machine vouches for a whole output, and answers equally.
    Example: trackback boot out/image.json --release out/release.json --out out
    """
    settings = Settings()
    require_tools(BOOTING)
    if options.output:
        refuse_taken(options.output)
    with surely_exit_on(signal.SIGTERM), tempfile.TemporaryDirectory(prefix="trackback-boot-") as folder:
        disk = RawFile(disk_of(options.image, Store(settings.store)))
        refuse_other_release(disk.content.release, options.release)
        receipt, output = _scored(disk, Path(folder), options)
        if options.output:
            put(output, options.output)
    say(f"scored {receipt.rows_scored} of {receipt.rows_in} rows, rejected {receipt.rows_rejected}")
    _keep(receipt, options.out)


def _keep(receipt: Receipt, out: Path | None) -> None:
    """In the store too, from which trace and status tell it; the page is for GoCD's tab."""
    Store(Settings().store).put_receipt(receipt)
    keep(receipt, out, names.RECEIPT_FILE)
    if out:
        write_atomically(out / names.RECEIPT_PAGE, receipt_page(receipt).encode())


def disk_of(image: Path, store: Store) -> Path:
    """What the store has is found by the record, too, wherever that was copied to."""
    if image.suffix != ".json":
        return image
    record = MachineImage.read(image)
    beside = image.parent / record.file
    return beside if beside.exists() else store.machine_image(record.release) / record.file


def refuse_other_release(found: str, release: Path | None) -> None:
    """Raises Refused unless the image is of the release in the file, where one is given."""
    expected = Release.read(release).digest if release else found
    if found != expected:
        raise Refused(f"expected an image of release {expected[:12]}…, found one of {found[:12]}…: build it again")


def _scored(disk: RawFile, folder: Path, options: BootOptions) -> tuple[Receipt, Path]:
    booting = Booting(disk, folder, options.plan, say)
    return booting.score(options.input) if options.input else _sample_scored(booting, disk.content.release, folder)


def _sample_scored(booting: Booting, digest: str, folder: Path) -> tuple[Receipt, Path]:
    """Raises Refused for the first row that is answered unlike its release answers it."""
    # Arrow takes long to import, and most ways to be refused do not need it.
    from services.delivery.machine_image.sample import compare, read_scored, sample_of, write_sample

    release, golden = open_release(Store(Settings().store).release(digest), digest)
    inputs = release.manifest.inputs
    sample = sample_of(golden, inputs)
    receipt, output = booting.score(write_sample(sample, inputs, folder / "sample").parent)
    compare(sample, read_scored(output))
    if receipt.rows_rejected != sample.refused:
        raise Refused(f"expected {sample.refused} rows of the sample to be refused, found {receipt.rows_rejected}")
    say(f"{len(sample.expected)} answers are those of release {digest[:12]}…, {sample.refused} rows were refused")
    return receipt, output

"""Input goes into a machine, and output is taken out of it only as the whole that its receipt names."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from services.contract import names
from services.contract.distribution import Distribution
from services.contract.errors import Refused
from services.contract.machine_image import ImageContent
from services.contract.prediction import Labelled
from services.contract.receipt import InputFile, OutputFile, Receipt
from services.contract.release import Golden
from services.delivery.machine_image.booting import Booting, BootPlan, put, verified
from services.delivery.machine_image.io_disk import make_io_disk, read_output
from services.delivery.machine_image.qemu import Firmware
from services.delivery.machine_image.sample import compare, read_scored, sample_of, write_sample
from tests.support.release_factory import INPUTS, ROWS

RELEASE, IMAGE = "1" * 64, "sha256:" + "2" * 64
CONTENT = ImageContent(
    model="diamond-price",
    revision="1-aaaaaaaa",
    run_id="a" * 32,
    release=RELEASE,
    image=IMAGE,
    recipe="3" * 64,
    kernel="6.1",
    command_line="ro console=ttyS0",
    base_sha256="4" * 64,
    base_bytes=1,
    release_sha256="5" * 64,
    release_bytes=1,
    packages=(),
)
SCORED = b"scored rows"
GOLDEN = Golden(columns=("carat", "cut", "grade"), rows=ROWS, predictions=(1.0, 2.0, 3.0, 4.0))
processes = pytest.mark.process


def receipt(*outputs: OutputFile, release: str = RELEASE, image: str | None = IMAGE) -> Receipt:
    return Receipt(
        model="diamond-price",
        revision="1-aaaaaaaa",
        release=release,
        run_id="a" * 32,
        engine="container",
        image=image,
        inputs=(InputFile(path="rows.csv", bytes=8, sha256="6" * 64),),
        rows_in=3,
        rows_scored=2,
        rows_rejected=1,
        rejected={"carat: expected a number, found null": 1},
        outputs=outputs,
        distribution=Distribution(rows=2),
        shift=None,
        compared_with="nothing",
        seconds=1.0,
        rows_per_second=3.0,
        versions={},
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def written(folder: Path, release: str = RELEASE, image: str | None = IMAGE) -> Path:
    """An output with its receipt."""
    (folder / "scored").mkdir(parents=True)
    (folder / "scored" / "part-0.parquet").write_bytes(SCORED)
    digest = hashlib.sha256(SCORED).hexdigest()
    one = OutputFile(path="scored/part-0.parquet", bytes=len(SCORED), sha256=digest, rows=2)
    receipt(one, release=release, image=image).write(folder / names.RECEIPT_FILE)
    return folder


def test_a_receipt_vouches_for_the_output_beside_it(tmp_path: Path) -> None:
    assert verified(written(tmp_path), CONTENT).rows_scored == 2


def without_receipt(output: Path) -> None:
    (output / names.RECEIPT_FILE).unlink()


def changed(output: Path) -> None:
    (output / "scored" / "part-0.parquet").write_bytes(SCORED[::-1])


def missing(output: Path) -> None:
    (output / "scored" / "part-0.parquet").unlink()


def added(output: Path) -> None:
    (output / "scored" / "part-1.parquet").write_bytes(b"more")


def linked(output: Path) -> None:
    (output / "scored" / "part-1.parquet").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_receipt, "expected a receipt, found none"),
        (changed, "found scored/part-0.parquet missing, added or changed"),
        (missing, "found scored/part-0.parquet missing, added or changed"),
        (added, "found scored/part-1.parquet missing, added or changed"),
        (linked, "part-1.parquet"),
    ],
)
def test_an_output_that_is_not_the_receipts_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    output = written(tmp_path)
    spoil(output)
    with pytest.raises(Refused, match=words):
        verified(output, CONTENT)


@pytest.mark.parametrize(
    ("release", "image", "found"),
    [
        ("9" * 64, IMAGE, "found one of 999999999999… in sha256:222222222222…"),
        (RELEASE, "sha256:" + "9" * 64, "found one of 111111111111… in sha256:999999999999…"),
        (RELEASE, None, "found one of 111111111111… in no image…"),
    ],
)
def test_the_receipt_of_another_release_or_image_is_refused(
    tmp_path: Path, release: str, image: str | None, found: str
) -> None:
    with pytest.raises(Refused, match=f"expected a receipt of release 111111111111… in sha256:222222222222…, {found}"):
        verified(written(tmp_path, release, image), CONTENT)


def test_an_output_replaces_nothing(tmp_path: Path) -> None:
    output, target = written(tmp_path / "output"), tmp_path / "target"
    put(output, target)
    assert sorted(path.name for path in target.rglob("*")) == ["part-0.parquet", names.RECEIPT_FILE, "scored"]
    with pytest.raises(Refused, match="expected a new or an empty folder for the output"):
        put(output, target)
    assert {path.name for path in tmp_path.iterdir()} == {"output", "target"}


def test_the_sample_has_the_golden_rows_in_two_orders_and_rows_that_must_be_refused(tmp_path: Path) -> None:
    sample = sample_of(GOLDEN, INPUTS)
    table = parquet.read_table(write_sample(sample, INPUTS, tmp_path))
    assert table.schema.types == [pyarrow.float64(), pyarrow.string(), pyarrow.int64()]
    assert table.to_pylist()[:4] == table.to_pylist()[4:8][::-1]
    assert [row["carat"] for row in table.to_pylist()] == [0.3, 0.7, 1.5, 2.1, 2.1, 1.5, 0.7, 0.3, None, 2.1, 2.1]
    assert sample.expected == (1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 2.0, 1.0)
    assert sample.refused == 3


def test_the_first_row_that_is_answered_otherwise_is_named() -> None:
    sample = sample_of(GOLDEN, INPUTS)
    compare(sample, [1.0, 2.0, 3.0, 4.0, 4.0 + 1e-10, 3.0, 2.0, 1.0])
    with pytest.raises(Refused, match=r"row 5 of the sample: expected 3\.0, found 3\.1: it answers unlike its release"):
        compare(sample, [1.0, 2.0, 3.0, 4.0, 4.0, 3.1, 2.0, 1.5])
    with pytest.raises(Refused, match="expected 8 answers of the machine, found 7"):
        compare(sample, list(sample.expected[1:]))


def test_answers_are_read_from_all_parts_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "scored").mkdir()
    parts = [[("de", 0.5), ("fr", 0.25)], [("en", 1.0)]]
    for place, rows in enumerate(parts):
        table = pyarrow.table({"label": [label for label, _ in rows], "probability": [number for _, number in rows]})
        parquet.write_table(table, tmp_path / "scored" / f"part-{place:05}.parquet")
    expected = [Labelled(label=label, probability=number) for part in parts for label, number in part]
    assert read_scored(tmp_path) == expected


def debugfs(disk: Path, request: str, *options: str) -> str:
    words = ["/usr/sbin/debugfs", *options, "-R", request, str(disk)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@processes
def test_a_machine_can_read_whatever_its_user_may_read(tmp_path: Path) -> None:
    (tmp_path / "rows" / "more").mkdir(parents=True)
    for name in ("rows/a.csv", "rows/more/b.csv"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o600)
    make_io_disk(tmp_path / "io.raw", tmp_path / "rows")
    assert debugfs(tmp_path / "io.raw", "cat /in/more/b.csv") == "rows/more/b.csv"
    assert "Mode:  0644" in debugfs(tmp_path / "io.raw", "stat /in/a.csv")
    assert "trackback-io" in debugfs(tmp_path / "io.raw", "stats -h")


@processes
@pytest.mark.parametrize("name", ["rows.csv", "with a blank.csv"])
def test_a_single_file_goes_into_the_input_folder_under_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("carat\n1\n")
    make_io_disk(tmp_path / "io.raw", tmp_path / name)
    assert debugfs(tmp_path / "io.raw", f'cat "/in/{name}"') == "carat\n1\n"


def test_an_input_that_is_not_there_is_refused_before_a_disk_is_made(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"rows\.csv: expected a file or a folder to score, found none"):
        make_io_disk(tmp_path / "io.raw", tmp_path / "rows.csv")
    assert not (tmp_path / "io.raw").exists()


@dataclass(frozen=True)
class Disk:
    """An image of which nothing is read but what it says of itself."""

    path: Path
    content: ImageContent = CONTENT

    def boot_file(self, name: str) -> bytes:
        return name.encode()


class Played:
    """In the place of QEMU: writes the output onto the disk, and says the lines."""

    def __init__(self, output: Path, *lines: str) -> None:
        self._output, self._lines, self.asked = output, lines, list[str]()

    def __call__(self, words: Sequence[str], _silence: float, _tell: Callable[[str], None]) -> list[str]:
        self.asked = list(words)
        disk = next(word for word in words if "id=io" in word).partition("file=")[2]
        debugfs(Path(disk), "mkdir /out/scored", "-w")
        for file in (path for path in self._output.rglob("*") if path.is_file()):
            debugfs(Path(disk), f"write {file} /out/{file.relative_to(self._output)}", "-w")
        return list(self._lines)


def booted(folder: Path, played: Played, plan: BootPlan) -> tuple[Receipt, Path]:
    (folder / "boot").mkdir()
    (folder / "rows.csv").write_text("carat\n1\n")
    return Booting(Disk(folder / "image.raw"), folder / "boot", plan, lambda _: None, played).score(folder / "rows.csv")


@processes
def test_a_boot_returns_the_receipt_and_the_output_that_the_machine_wrote(tmp_path: Path) -> None:
    played = Played(written(tmp_path / "played"), "TRACKBACK-RESULT status=0 scored 2 of 3 rows, rejected 1")
    found, output = booted(tmp_path, played, BootPlan(Firmware.DIRECT))
    assert json.loads(found.to_json()) == json.loads((tmp_path / "played" / names.RECEIPT_FILE).read_text())
    assert (output / "scored" / "part-0.parquet").read_bytes() == SCORED
    assert played.asked[played.asked.index("-append") + 1] == CONTENT.command_line


@processes
def test_an_output_counts_for_nothing_when_the_machine_says_otherwise(tmp_path: Path) -> None:
    played = Played(written(tmp_path / "played"), "TRACKBACK-RESULT status=73 io disk: no space left")
    with pytest.raises(Refused, match="the machine ended with status 73: io disk: no space left"):
        booted(tmp_path, played, BootPlan())


@processes
def test_a_result_without_a_receipt_counts_for_nothing(tmp_path: Path) -> None:
    output = written(tmp_path / "played")
    (output / names.RECEIPT_FILE).unlink()
    with pytest.raises(Refused, match="expected a receipt, found none"):
        booted(tmp_path, Played(output, "TRACKBACK-RESULT status=0 scored 2 of 3 rows, rejected 1"), BootPlan())


@processes
def test_a_disk_without_a_folder_for_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "io.raw").write_bytes(bytes(1 << 20))
    with pytest.raises(Refused, match="expected the folder 'out' on it, found none"):
        read_output(tmp_path / "io.raw", tmp_path / "output")

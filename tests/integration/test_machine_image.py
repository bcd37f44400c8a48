"""A machine image is built from a release without root's tools for devices, and can be read as a plain file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.contract.machine_image import MachineImage
from services.contract.trace import Trace
from services.delivery.machine_image.building import build_machine_image
from services.delivery.machine_image.containers import BuiltHere
from services.delivery.machine_image.gpt import read_partitions
from tests.support.built_image import BuiltImage, graph_release
from tests.support.paths import ROOT

pytestmark = pytest.mark.needs("image")


def trackback(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services.delivery", *words]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)


def test_the_image_is_small_passes_its_checks_and_says_of_what_it_is_made(machine_image: BuiltImage) -> None:
    image = machine_image.image
    assert image.bytes == machine_image.disk.stat().st_size <= 250_000_000
    assert [one.name for one in image.checks if not one.ok] == []
    assert image.kernel.endswith("-cloud-amd64")
    assert {"crun", "systemd"} <= {one.name for one in image.packages}
    assert not {"apt", "busybox", "openssh-server", "perl"} & {one.name for one in image.packages}
    bill = json.loads((machine_image.folder / "sbom.json").read_text())
    purls = {part.get("purl", "").partition("@")[0] for part in bill["components"]}
    assert {"pkg:deb/debian/crun", "pkg:deb/debian/python3.11-minimal", "pkg:pypi/onnxruntime"} <= purls


def test_the_same_inputs_are_the_same_bytes_and_a_damaged_image_is_built_again(
    machine_image: BuiltImage, tmp_path: Path
) -> None:
    copied = BuiltImage(tmp_path / "store", machine_image.release, machine_image.image)
    shutil.copytree(machine_image.root, copied.root, copy_function=lambda a, b: Path(b).hardlink_to(a))
    assert build_machine_image(copied.store, copied.release, BuiltHere()).known
    copied.disk.unlink()
    copied.disk.write_bytes(b"damaged")
    again = build_machine_image(copied.store, copied.release, BuiltHere())
    assert not again.known
    assert again.image == machine_image.image
    assert [path.name for path in (copied.root / "staging").iterdir()] == []


def test_a_raw_file_tells_its_release_run_and_data_by_itself(machine_image: BuiltImage, tmp_path: Path) -> None:
    alone = tmp_path / "found-somewhere.raw"
    alone.symlink_to(machine_image.disk)
    done = trackback("trace", str(alone), TRACKBACK_STORE=str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (0, "")
    found = Trace.from_json(done.stdout)
    manifest = machine_image.release.manifest
    assert (found.release, found.revision) == (machine_image.release.digest, manifest.revision)
    assert found.candidate == manifest.candidate
    assert found.machine_image
    assert found.machine_image.image == machine_image.image.image


@pytest.mark.parametrize("partition", ["base", "release"])
def test_a_raw_file_with_a_changed_byte_is_not_believed(
    machine_image: BuiltImage, tmp_path: Path, partition: str
) -> None:
    damaged = tmp_path / "damaged.raw"
    shutil.copyfile(machine_image.disk, damaged)
    at = read_partitions(damaged)[partition].start + 20_000_000
    with damaged.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    done = trackback("trace", str(damaged))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{damaged}: expected the {partition} ")
    assert done.stderr.endswith("…: the file is damaged, build the image again\n")


def test_another_release_is_another_image_on_the_same_base_and_the_verb_writes_its_record(
    machine_image: BuiltImage, tmp_path: Path
) -> None:
    release = graph_release(machine_image.root, price_per_carat=5000.0, number=2)
    release.write(tmp_path / "release.json")
    words = ("image", "--release", str(tmp_path / "release.json"), "--out", str(tmp_path / "out"))
    done = trackback(*words, TRACKBACK_STORE=str(machine_image.root))
    assert done.returncode == 0, done.stderr
    assert "machine image of diamond-price 2-aaaaaaaa: built in" in done.stderr
    image = MachineImage.read(tmp_path / "out" / "image.json")
    assert (image.release, image.base_sha256) == (release.digest, machine_image.image.base_sha256)
    assert image.release_sha256 != machine_image.image.release_sha256
    assert (tmp_path / "out" / "sbom.json").is_file()
    assert "was there already" in trackback(*words, TRACKBACK_STORE=str(machine_image.root)).stderr

"""`trackback boot` finds the disk, and refuses before anything starts what cannot end well."""

from pathlib import Path

import pytest

from services.contract import names
from services.contract.errors import Refused
from services.contract.machine_image import HygieneCheck, MachineImage
from services.delivery.store import Store
from services.delivery.verbs.boot import disk_of, refuse_other_release
from tests.support.release_factory import build_release


def image_of(release: str) -> MachineImage:
    return MachineImage(
        model="diamond-price",
        revision="1-aaaaaaaa",
        run_id="a" * 32,
        release=release,
        image="sha256:" + "2" * 64,
        recipe="3" * 64,
        kernel="6.1",
        command_line="ro",
        base_sha256="4" * 64,
        base_bytes=1,
        release_sha256="5" * 64,
        release_bytes=1,
        packages=(),
        file="diamond-price.raw",
        bytes=1,
        sha256="6" * 64,
        checks=(HygieneCheck(name="no SSH", ok=True),),
    )


def test_a_raw_file_is_taken_as_it_is(tmp_path: Path) -> None:
    assert disk_of(tmp_path / "any.raw", Store(tmp_path)) == tmp_path / "any.raw"


def test_a_record_names_the_disk_beside_it_or_the_one_in_the_store(tmp_path: Path) -> None:
    record, store = tmp_path / "out" / names.MACHINE_IMAGE_FILE, Store(tmp_path / "store")
    image_of("1" * 64).write(record)
    assert disk_of(record, store) == store.machine_image("1" * 64) / "diamond-price.raw"
    (record.parent / "diamond-price.raw").touch()
    assert disk_of(record, store) == record.parent / "diamond-price.raw"


def test_an_image_of_another_release_is_refused(tmp_path: Path) -> None:
    release = build_release(tmp_path / "store")
    release.write(tmp_path / names.RELEASE_FILE)
    refuse_other_release(release.digest, tmp_path / names.RELEASE_FILE)
    refuse_other_release("1" * 64, None)
    with pytest.raises(
        Refused, match=f"expected an image of release {release.digest[:12]}…, found one of 111111111111…"
    ):
        refuse_other_release("1" * 64, tmp_path / names.RELEASE_FILE)

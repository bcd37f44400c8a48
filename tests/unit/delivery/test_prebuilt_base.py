"""The base of machine images that an image of the stack brings along, because an agent in it may make none."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.delivery.machine_image import bases, os_base, prebuilt
from services.delivery.machine_image.bases import os_recipe, take_os_base
from services.delivery.store import MACHINE_BASES, Store


def nothing_is_made(folder: Path) -> None:  # noqa: ARG001  what makes one takes it
    raise Refused("no mirror")


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a base lies that was made before; here no other can be made."""
    place = tmp_path / "brought"
    (made := tmp_path / "made").mkdir()
    for name in (os_base.FILE_SYSTEM, os_base.KERNEL, os_base.INITRAMFS, os_base.INSTALLED, os_base.DEBS):
        (made / name).write_text("")
    Store(place).archive(MACHINE_BASES, os_recipe(), made)
    monkeypatch.setattr(os_base, "build_os_base", nothing_is_made)
    monkeypatch.setattr(bases, "PREBUILT", tmp_path / "none")
    return place


def test_what_an_image_brings_is_taken_where_the_store_has_none(
    brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(Refused, match="no mirror"):
        take_os_base(store, locked=False)
    monkeypatch.setattr(bases, "PREBUILT", brought)
    assert take_os_base(store, locked=False).kernel == brought / MACHINE_BASES / os_recipe() / os_base.KERNEL


def test_one_with_a_changed_byte_is_not_taken(brought: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "PREBUILT", brought)
    kernel = brought / MACHINE_BASES / os_recipe() / os_base.KERNEL
    kernel.chmod(0o644)
    kernel.write_text("another")
    with pytest.raises(Refused, match="no mirror"):
        take_os_base(Store(tmp_path / "store"), locked=False)


def test_the_step_of_a_build_copies_what_its_cache_has(
    brought: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "image"
    assert prebuilt.main([str(brought), str(target)]) == 0
    assert Store(target).archived(MACHINE_BASES, os_recipe())
    assert prebuilt.main([str(tmp_path / "empty"), str(target)]) == 1
    assert prebuilt.main([str(brought)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-2:] == ["no mirror", "expected a folder to make it in and one to copy it to, found 1 words"]

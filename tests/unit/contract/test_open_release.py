"""A release is opened in one way by whoever starts it and by whoever answers for it."""

from pathlib import Path

import pytest

from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.release import Release
from tests.support.release_factory import ROWS, build_release


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return build_release(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, release: Release) -> Path:
    return tmp_path / "releases" / release.digest


def test_a_release_says_what_its_files_say(folder: Path, release: Release) -> None:
    opened, golden = open_release(folder, release.digest)
    assert (opened, golden.rows) == (release, ROWS)


def test_changed_files_are_refused_before_they_are_read(folder: Path, release: Release) -> None:
    (folder / "manifest.json").write_text("no manifest")
    with pytest.raises(Refused, match="its files were changed"):
        open_release(folder, release.digest)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"golden": "0" * 64}, r"golden\.json: expected digest 000000000000…, found [0-9a-f]{12}…: package it again"),
        ({"revision": "99-aaaaaaaa"}, "expected one revision in the manifest, found 99-aaaaaaaa and 1-"),
    ],
)
def test_a_release_that_contradicts_itself_is_refused(
    folder: Path, release: Release, changes: dict[str, str], said: str
) -> None:
    release.manifest.model_copy(update=changes).write(folder / "manifest.json")
    with pytest.raises(Refused, match=said):
        open_release(folder, digest_directory(folder))

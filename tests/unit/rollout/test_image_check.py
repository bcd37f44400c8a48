"""What is in an image is told from its bytes: the release that was recorded, the whole of it and nothing else."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Image
from services.rollout.containers.image_check import check_contents, check_labels
from services.rollout.release_store import ReleaseStore, StoredRelease
from tests.support.release_factory import build_release

PART_BYTES = 700


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def release(store: Path) -> StoredRelease:
    return ReleaseStore(store).find("diamond-price", build_release(store).digest)


def archive(release: StoredRelease, *more: tarfile.TarInfo, leave_out: str = "") -> bytes:
    """The release's folder as an engine hands it out, with empty members `more`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(release.folder.rglob("*")):
            if path.name != leave_out:
                tar.add(path, arcname=f"release/{path.relative_to(release.folder)}", recursive=False)
        for member in more:
            tar.addfile(member)
    return buffer.getvalue()


def in_parts(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]
        yield b""


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


def test_the_recorded_release_is_accepted(release: StoredRelease) -> None:
    with pytest.raises(Refused, match="found"):
        check_contents(in_parts(archive(release, member("release/one-more"))), release)
    check_contents(in_parts(archive(release)), release)


@pytest.mark.parametrize("changed", ["manifest.json", "model.skops"])
def test_a_release_with_another_byte_is_refused(release: StoredRelease, changed: str) -> None:
    content = bytearray(archive(release))
    place = content.index(f"{changed}\0".encode()) + tarfile.BLOCKSIZE
    content[place] ^= 1
    with pytest.raises(Refused, match=f"expected release {release.digest[:12]}… in the image, found"):
        check_contents(in_parts(bytes(content)), release)


def test_a_release_without_one_of_its_files_is_refused(release: StoredRelease) -> None:
    with pytest.raises(Refused, match="in the image, found"):
        check_contents(in_parts(archive(release, leave_out="golden.json")), release)


@pytest.mark.parametrize(
    "odd",
    [
        member("release/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("release/same", tarfile.LNKTYPE, "release/manifest.json"),
        member("release/device", tarfile.CHRTYPE),
        member("release/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda odd: odd.name,
)
def test_links_and_devices_are_refused(release: StoredRelease, odd: tarfile.TarInfo) -> None:
    with pytest.raises(Refused, match=f"{odd.name}: expected plain files and folders only"):
        check_contents(in_parts(archive(release, odd)), release)


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100])
def test_what_is_no_archive_is_refused(release: StoredRelease, content: bytes) -> None:
    with pytest.raises(Refused, match="expected the image's folder /release, cannot read it"):
        check_contents(in_parts(content), release)


def test_an_archive_that_breaks_off_is_refused(release: StoredRelease) -> None:
    whole = archive(release)
    for size in range(1, len(whole.rstrip(b"\0")), len(whole) // 40):
        with pytest.raises(Refused):
            check_contents(in_parts(whole[:size]), release)


@pytest.mark.parametrize("label", [names.MODEL_LABEL, names.RELEASE_LABEL])
def test_labels_name_the_release(release: StoredRelease, label: str) -> None:
    labels = {names.MODEL_LABEL: "diamond-price", names.RELEASE_LABEL: release.digest}
    check_labels(labels, release)
    with pytest.raises(Refused, match=f"label {label}=.*, found another: package it again"):
        check_labels({**labels, label: "another"}, release)
    with pytest.raises(Refused, match="found None"):
        check_labels({}, release)


def test_the_image_that_was_recorded_is_found_with_its_release(store: Path, release: StoredRelease) -> None:
    assert release.release.image is None
    digest = f"sha256:{'1' * 64}"
    image = Image(release=release.digest, repository="trackback/diamond-price", digest=digest, base=digest)
    record = store / "images" / f"{release.digest}.json"
    image.write(record)
    assert ReleaseStore(store).find("diamond-price", release.digest).release.image == image
    image.model_copy(update={"release": "f" * 64}).write(record)
    with pytest.raises(Refused, match="expected the image of release .*, found one of ffffffffffff…"):
        ReleaseStore(store).find("diamond-price", release.digest)

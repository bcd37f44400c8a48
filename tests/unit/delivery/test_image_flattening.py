"""The layers of an image become one file tree, as a container would see it."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.delivery.machine_image.flatten import LayerFile, flatten

Entry = str | tuple[str, bytes] | tarfile.TarInfo


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, link, mode
    return found


def folder(name: str) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, mode=0o755)


def layer(place: Path, *entries: Entry, compressed: bool = False) -> LayerFile:
    """Names are empty files, pairs are files with content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for one in entries:
            name, content = one if isinstance(one, tuple) else (one, b"")
            found = name if isinstance(name, tarfile.TarInfo) else entry(name)
            found.size = len(content)
            tar.addfile(found, io.BytesIO(content))
    plain = packed.getvalue()
    stored = gzip.compress(plain, mtime=0) if compressed else plain
    file = place / hashlib.sha256(stored).hexdigest()
    file.write_bytes(stored)
    return LayerFile(file, f"sha256:{file.name}", f"sha256:{hashlib.sha256(plain).hexdigest()}")


def flat(layers: Sequence[LayerFile]) -> dict[str, tarfile.TarInfo]:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as target:
        seen = flatten(layers, target, "rootfs")
    written.seek(0)
    with tarfile.open(fileobj=written) as tar:
        found = {one.name: one for one in tar}
        contents = {name: tar.extractfile(one) for name, one in found.items() if one.isreg()}
        for name, content in contents.items():
            found[name].pax_headers = {"content": content.read().decode() if content else ""}
    assert {f"rootfs/{path}" for path in seen} >= set(found)
    return found


def paths(*layers: LayerFile) -> list[str]:
    return sorted(name.removeprefix("rootfs/") for name in flat(layers))


def test_the_file_of_the_top_layer_is_the_one_that_stays(tmp_path: Path) -> None:
    found = flat([layer(tmp_path, ("a", b"below")), layer(tmp_path, ("./a", b"above"))])
    assert found["rootfs/a"].pax_headers["content"] == "above"


def test_a_whiteout_hides_a_file_and_all_below_a_folder_but_nothing_of_its_own_layer(tmp_path: Path) -> None:
    below = layer(tmp_path, "a", folder("b"), "b/c", "b/d/e", "bc")
    assert paths(below, layer(tmp_path, ".wh.a", ".wh.b")) == ["bc"]
    assert paths(below, layer(tmp_path, ".wh.b", "b/new")) == ["a", "b/new", "bc"]


def test_an_opaque_folder_keeps_only_what_its_own_layer_and_those_above_put_there(tmp_path: Path) -> None:
    below, middle = layer(tmp_path, "b/old", "x"), layer(tmp_path, folder("b"), "b/.wh..wh..opq", "b/new")
    assert paths(below, middle, layer(tmp_path, "b/newest")) == ["b", "b/new", "b/newest", "x"]


def test_a_whiteout_two_layers_up_still_hides(tmp_path: Path) -> None:
    assert paths(layer(tmp_path, "a/b"), layer(tmp_path, "c"), layer(tmp_path, "a/.wh.b")) == ["c"]


def test_a_file_in_the_place_of_a_folder_hides_what_was_in_it(tmp_path: Path) -> None:
    assert paths(layer(tmp_path, folder("a"), "a/b"), layer(tmp_path, ("a", b"now a file"))) == ["a"]


def test_a_path_that_climbs_out_stays_inside(tmp_path: Path) -> None:
    assert paths(layer(tmp_path, "../../etc/shadow", "/abs", "a/../b")) == ["abs", "b", "etc/shadow"]


def test_rights_of_other_users_devices_and_late_times_are_left_out(tmp_path: Path) -> None:
    late = entry("su", mode=0o4755)
    late.mtime, late.uname = 4_000_000_000, "somebody"
    found = flat([layer(tmp_path, late, entry("null", tarfile.CHRTYPE), entry("disk", tarfile.BLKTYPE))])
    assert list(found) == ["rootfs/su"]
    assert (found["rootfs/su"].mode, found["rootfs/su"].uname) == (0o755, "")
    assert found["rootfs/su"].mtime == 1_750_000_000


def test_logs_and_caches_that_building_left_are_left_out_and_what_is_linked_to_them_is_not(tmp_path: Path) -> None:
    link = entry("a", tarfile.LNKTYPE, "var/log/dpkg.log")
    left = ("var/log/dpkg.log", b"words"), "var/cache/apt/archives/lock", "var/lib/apt/lists/x"
    found = flat([layer(tmp_path, folder("var/log"), *left, "var/lib/dpkg/status", link)])
    assert sorted(found) == ["rootfs/a", "rootfs/var/lib/dpkg/status", "rootfs/var/log"]
    assert found["rootfs/a"].pax_headers["content"] == "words"


def test_links_point_to_the_same_as_in_the_container(tmp_path: Path) -> None:
    hard, soft = entry("hard", tarfile.LNKTYPE, "./a"), entry("soft", tarfile.SYMTYPE, "/a")
    found = flat([layer(tmp_path, ("a", b"1"), hard, soft)])
    assert (found["rootfs/hard"].linkname, found["rootfs/soft"].linkname) == ("rootfs/a", "/a")


def test_a_hard_link_whose_file_is_hidden_or_replaced_above_keeps_its_own_content(tmp_path: Path) -> None:
    below = layer(tmp_path, ("a", b"old"), entry("b", tarfile.LNKTYPE, "a"))
    for above in (layer(tmp_path, ".wh.a"), layer(tmp_path, ("a", b"new"))):
        assert flat([below, above])["rootfs/b"].pax_headers["content"] == "old"


def test_compressed_layers_are_read_and_compared_as_both(tmp_path: Path) -> None:
    assert paths(layer(tmp_path, "a", compressed=True), layer(tmp_path, "b")) == ["a", "b"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_layer_of_other_bytes_or_of_another_content_is_refused(tmp_path: Path, compressed: bool) -> None:
    sound = layer(tmp_path, "a", compressed=compressed)
    other = "sha256:" + "0" * 64
    with pytest.raises(Refused, match="expected bytes sha256:000000000000…, found sha256:.*: it was changed"):
        flat([LayerFile(sound.file, other, sound.diff_id)])
    with pytest.raises(Refused, match="expected content sha256:000000000000…"):
        flat([LayerFile(sound.file, sound.digest, other)])


def test_a_layer_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "layer"
    file.write_bytes(b"no tar" * 200)
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    with pytest.raises(Refused, match=f"layer {digest[:19]}…: expected a tar, found something else"):
        flat([LayerFile(file, digest, digest)])

"""A release's container for a machine image: an OCI layout built from a base in the store, or taken from a registry."""

import hashlib
import io
import json
import tarfile
from pathlib import Path, PurePosixPath

import httpx
import pytest

from services.contract.errors import Refused
from services.contract.release import Image, Release, Servable
from services.delivery.machine_image import container_base
from services.delivery.machine_image.bases import container_recipe
from services.delivery.machine_image.containers import BuiltHere, FromRegistry, Place
from services.delivery.machine_image.flatten import flatten
from services.delivery.machine_image.oci_layout import OciImage, read_layout
from services.delivery.packaging.image_registry import ImageRegistry, canonical, sha256_of
from services.delivery.store import MACHINE_BASES, Store
from tests.support.release_factory import ReleasePlan, build_release

PYTHON = "opt/venv/bin/python"


def with_base(place: Path, working: Path) -> Store:
    """A store with a base that holds one file, under the recipe of today's."""
    store, folder = Store(place), working / "base"
    folder.mkdir()
    (working / "python").write_text("a stand-in")
    with tarfile.open(folder / container_base.LAYER, "w") as tar:
        tar.add(working / "python", PYTHON)
    (folder / container_base.DEBS).write_text(f"{'1' * 64}  libc6_2.36-9_amd64.deb\n")
    store.archive(MACHINE_BASES, container_recipe("sklearn"), folder)
    return store


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def store(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return with_base(root, tmp_path_factory.mktemp("working"))


@pytest.fixture(scope="module")
def release(root: Path) -> Release:
    return build_release(root)


def paths(image: OciImage) -> set[str]:
    """Of the files in the container."""
    with tarfile.open(fileobj=io.BytesIO(), mode="w") as target:
        return flatten(image.layers, target, "rootfs")


def place(folder: Path) -> Place:
    (folder / "staging").mkdir(parents=True)
    return Place(folder / "oci", folder / "staging")


def test_the_layout_holds_the_base_and_the_release_and_its_command_is_the_releases(
    store: Store, release: Release, tmp_path: Path
) -> None:
    found = BuiltHere().take(store, release, place(tmp_path / "a"), locked=False)
    assert {PYTHON, "release/manifest.json", "release/model/model.skops"} <= paths(found.image)
    settings = found.image.settings
    assert settings["Entrypoint"][:4] == ["python", "-m", "services.prediction", "/release"]
    assert settings["Cmd"] == ["--digest", release.digest]
    assert settings["Labels"]["trackback.release"] == release.digest
    assert "TRACKBACK_RUNTIME=sklearn" in settings["Env"]
    assert json.loads((tmp_path / "a/oci/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert [one.name for one in found.packages] == ["libc6"]


def test_the_same_release_on_the_same_base_is_the_same_image(store: Store, release: Release, tmp_path: Path) -> None:
    first, second = (BuiltHere().take(store, release, place(tmp_path / name), locked=False) for name in "ab")
    assert first.image.digest == second.image.digest
    assert sha256_of(first.image.manifest) == first.image.digest


def test_packages_that_are_not_as_locked_are_named_and_refused_where_the_lock_must_hold(
    store: Store, release: Release, tmp_path: Path
) -> None:
    assert "libc6 2.36-9, locked" in " ".join(
        BuiltHere().take(store, release, place(tmp_path / "a"), locked=False).drift
    )
    expected = (
        r"expected the Debian packages of debian.lock, found \d+ others \(.*: renew the lock by scripts/lock-debian"
    )
    with pytest.raises(Refused, match=expected):
        BuiltHere().take(store, release, place(tmp_path / "b"), locked=True)


def test_a_base_that_was_changed_in_the_store_is_not_used(tmp_path: Path) -> None:
    store, recipe = with_base(tmp_path / "store", tmp_path), container_recipe("sklearn")
    folder = store.archived(MACHINE_BASES, recipe)
    assert folder
    (folder / container_base.LAYER).chmod(0o644)
    with (folder / container_base.LAYER).open("ab") as layer:
        layer.write(b"more")
    assert store.archived(MACHINE_BASES, recipe) is None


def test_a_release_for_batch_only_has_no_container_and_the_line_says_what_scores_it(tmp_path: Path) -> None:
    batch_only = build_release(tmp_path, ReleasePlan(servable=Servable(form=None, notes=("no form",))))
    for containers in (BuiltHere(), FromRegistry(ImageRegistry("http://registry.example"))):
        with pytest.raises(Refused, match="for batch only: it has no container; score with it by: trackback score"):
            containers.recipe(batch_only)


class Blobs:
    """A registry that has one image."""

    def __init__(self, release: Release, layer: bytes) -> None:
        config = canonical({"config": {"Env": []}, "rootfs": {"diff_ids": [sha256_of(layer)]}})
        described = [{"mediaType": "some", "digest": sha256_of(blob), "size": len(blob)} for blob in (config, layer)]
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        self.manifest = json.dumps({"mediaType": kind, "config": described[0], "layers": described[1:]}).encode()
        self.blobs = {sha256_of(blob): blob for blob in (config, layer, self.manifest)}
        image = Image(
            release=release.digest,
            repository="trackback/diamond-price",
            digest=sha256_of(self.manifest),
            base="sha256:" + "0" * 64,
        )
        self.release = release.model_copy(update={"image": image})

    def connect(self) -> ImageRegistry:
        return ImageRegistry("http://registry.example", httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        found = self.blobs.get(request.url.path.rpartition("/")[2])
        return httpx.Response(200, content=found) if found else httpx.Response(404)


@pytest.fixture
def blobs(release: Release, tmp_path: Path) -> Blobs:
    (tmp_path / "one").write_text("content")
    with tarfile.open(tmp_path / "layer.tar", "w") as tar:
        tar.add(tmp_path / "one", "etc/one")
    return Blobs(release, (tmp_path / "layer.tar").read_bytes())


def test_an_image_is_taken_from_the_registry_by_digest(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    with blobs.connect() as registry:
        found = FromRegistry(registry).take(store, blobs.release, place(tmp_path / "a"), locked=True)
    assert found.image.manifest == blobs.manifest
    assert read_layout(tmp_path / "a/oci").digest == sha256_of(blobs.manifest)
    assert paths(found.image) == {"etc/one"}


def test_a_layer_that_the_registry_has_in_other_bytes_is_refused(store: Store, blobs: Blobs, tmp_path: Path) -> None:
    layer = json.loads(blobs.manifest)["layers"][0]["digest"]
    blobs.blobs[layer] = blobs.blobs[layer].replace(b"content", b"CONTENT")
    with blobs.connect() as registry:
        found = FromRegistry(registry).take(store, blobs.release, place(tmp_path / "a"), locked=True)
    with pytest.raises(Refused, match="it was changed"):
        paths(found.image)


def test_a_release_without_an_image_and_a_registry_without_it_are_told_apart(
    store: Store, release: Release, blobs: Blobs, tmp_path: Path
) -> None:
    with blobs.connect() as registry:
        with pytest.raises(
            Refused, match="to name its container image, found none: run package again, with TRACKBACK_REG"
        ):
            FromRegistry(registry).recipe(release)
        blobs.blobs.clear()
        with pytest.raises(Refused, match=r"expected trackback/diamond-price@sha256:.*, found none: run package again"):
            FromRegistry(registry).take(store, blobs.release, place(tmp_path / "a"), locked=True)


@pytest.mark.parametrize("damaged", ["config", "manifest"])
def test_a_document_of_a_layout_that_was_changed_is_refused(
    store: Store, release: Release, tmp_path: Path, damaged: str
) -> None:
    found = BuiltHere().take(store, release, place(tmp_path / "a"), locked=False)
    content = found.image.config if damaged == "config" else found.image.manifest
    (tmp_path / "a/oci/blobs/sha256" / hashlib.sha256(content).hexdigest()).write_bytes(content + b" ")
    with pytest.raises(Refused, match="expected the document sha256:.*: it was changed"):
        read_layout(tmp_path / "a/oci")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("usr/bin/python3.11", True),
        ("usr/bin", True),
        ("usr/lib/python3.11/json/__init__.py", True),
        ("usr/share/doc/libc6/copyright", True),
        ("usr/share/doc/libc6/changelog.gz", False),
        ("usr/bin/dpkg", False),
        ("bin/sh", False),
        ("var/lib/dpkg/status", False),
        ("trackback/debs", False),
        ("opt/venv/lib/python3.11/site-packages/pyarrow/include/arrow/api.h", False),
        ("opt/venv/lib/python3.11/site-packages/pyarrow/lib.so", True),
        ("opt/trackback/services/prediction/__main__.py", True),
        ("etc/passwd", True),
        ("etc/shadow", False),
    ],
)
def test_the_container_keeps_the_interpreter_and_what_it_loads_and_no_tool(path: str, kept: bool) -> None:
    assert container_base.is_kept(PurePosixPath(path)) is kept


def test_the_base_holds_the_sources_that_score_and_the_lock_of_their_packages() -> None:
    names = {str(path) for path in container_base.source_files("onnx")}
    assert any(name.endswith("services/prediction/runtimes/onnx.py") for name in names)
    assert any(name.endswith("requirements/prediction-onnx.txt") for name in names)
    assert not any("delivery" in name for name in names)

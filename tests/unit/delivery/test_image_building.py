"""A release as an image: the same bytes wherever and whenever it is built, and one clear line when it cannot be."""

import hashlib
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.release import Image, Release, Servable
from services.delivery.packaging.container_image import Built, build_image, write_layer
from services.delivery.packaging.image_registry import DOCKER_MANIFEST, INDEXES, OCI_MANIFEST, ImageRegistry
from services.delivery.settings import Settings
from services.delivery.verbs.package import with_image
from tests.support.release_factory import ReleasePlan, build_release

URL = "http://registry.example:5000"
BASE, TARGET = "trackback/prediction-sklearn", "trackback/diamond-price"
ASKED = f"/v2/{BASE}/manifests/0.1.0"
BASE_CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-05-05T05:05:05Z",
    "container": "what built it",
    "config": {
        "Entrypoint": ["python", "-m", "services.prediction", "/release"],
        "Env": ["PATH=/opt/venv/bin"],
        "Labels": {"org.opencontainers.image.version": "0.1.0"},
        "User": "0",
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
    "history": [{"created_by": "FROM"}],
}


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class MemoryRegistry:
    """Answers as a registry does, and remembers what was sent to it."""

    def __init__(self, lends: bool = True) -> None:
        self.lends = lends
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: list[str] = []

    def connect(self, url: str = URL) -> ImageRegistry:
        return ImageRegistry(url, httpx.MockTransport(self.answer))

    def add(self, repository: str, reference: str, media_type: str, content: dict[str, Any]) -> str:
        body = json.dumps(content).encode()
        for name in (reference, digest_of(body)):
            self.manifests[repository, name] = media_type, body
        return digest_of(body)

    def add_base(self, reference: str = "0.1.0", media_type: str = OCI_MANIFEST) -> str:
        config, layer = json.dumps(BASE_CONFIG).encode(), b"the layer of the base"
        self.blobs |= {(BASE, digest_of(blob)): blob for blob in (config, layer)}
        described = [{"mediaType": "some", "digest": digest_of(blob), "size": len(blob)} for blob in (config, layer)]
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": described[0], "layers": described[1:]}
        return self.add(BASE, reference, media_type, manifest)

    def answer(self, request: httpx.Request) -> httpx.Response:
        repository, kind, name = request.url.path.removeprefix("/v2/").rsplit("/", 2)
        if repository.endswith("/blobs"):
            return self._upload(repository.removesuffix("/blobs"), request)
        if kind == "tags":
            known = sorted(name for owner, name in self.manifests if owner == repository and ":" not in name)
            return httpx.Response(200, json={"tags": known}) if known else httpx.Response(404)
        if kind == "manifests" and request.method == "PUT":
            assert name == digest_of(request.content)
            self.manifests[repository, name] = request.headers["Content-Type"], request.content
            self.uploads.append(name)
            return httpx.Response(201)
        found = self.manifests.get((repository, name)) if kind == "manifests" else self._blob(repository, name)
        return httpx.Response(200, content=found[1], headers={"Content-Type": found[0]}) if found else not_found()

    def _blob(self, repository: str, digest: str) -> tuple[str, bytes] | None:
        found = self.blobs.get((repository, digest))
        return None if found is None else ("application/octet-stream", found)

    def _upload(self, repository: str, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        if request.method == "PUT":
            assert asked["_state"] == "begun"
            assert asked["digest"] == digest_of(request.read())
            self.blobs[repository, asked["digest"]] = request.content
            self.uploads.append(asked["digest"])
            return httpx.Response(201)
        if self.lends and "mount" in asked:
            self.blobs[repository, asked["mount"]] = self.blobs[asked["from"], asked["mount"]]
            return httpx.Response(201)
        return httpx.Response(202, headers={"Location": f"/v2/{repository}/blobs/uploads/1?_state=begun"})

    def image(self, built: Built) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its manifest and its configuration, as whoever pulls it gets them."""
        manifest = json.loads(self.manifests[TARGET, built.image.digest][1])
        blobs = [manifest["config"], *manifest["layers"]]
        assert all(len(self.blobs[TARGET, blob["digest"]]) == blob["size"] for blob in blobs)
        return manifest, json.loads(self.blobs[TARGET, manifest["config"]["digest"]])


def not_found() -> httpx.Response:
    return httpx.Response(404, json={"errors": [{"code": "UNKNOWN", "message": "not known"}]})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def release(store: Path) -> Release:
    return build_release(store)


@pytest.fixture
def build(store: Path, release: Release, tmp_path: Path) -> Callable[[MemoryRegistry], Built]:
    def built(registry: MemoryRegistry) -> Built:
        with registry.connect() as connected:
            return build_image(connected, release, store / "releases" / release.digest, "0.1.0", tmp_path)

    return built


def test_the_layer_depends_on_names_and_bytes_alone(store: Path, release: Release, tmp_path: Path) -> None:
    first = write_layer(store / "releases" / release.digest, release.digest, tmp_path / "first.tar")
    elsewhere = tmp_path / "elsewhere"
    for path in sorted((store / "releases" / release.digest).rglob("*"), reverse=True):
        if path.is_file():
            copy = elsewhere / path.relative_to(store / "releases" / release.digest)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copy.chmod(0o600)
            os.utime(copy, (1, 1))
    (elsewhere / "empty").mkdir()
    second = write_layer(elsewhere, release.digest, tmp_path / "second.tar")
    assert (second.digest, second.size) == (first.digest, first.size)
    assert first.digest == digest_of((tmp_path / "first.tar").read_bytes())


def test_the_layer_is_the_release_at_its_place_and_belongs_to_root(
    store: Path, release: Release, tmp_path: Path
) -> None:
    layer = write_layer(store / "releases" / release.digest, release.digest, tmp_path / "layer.tar")
    with tarfile.open(layer.file) as tar:
        entries = tar.getmembers()
        tar.extractall(tmp_path / "root", filter="data")
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert {entry.mode for entry in entries if entry.isdir()} == {0o755}
    assert {entry.mode for entry in entries if entry.isfile()} == {0o644}
    assert digest_directory(tmp_path / "root" / "release") == release.digest


def test_a_release_that_was_changed_becomes_no_layer(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    folder = tmp_path / "releases" / release.digest
    (folder / "planted.txt").write_text("planted")
    with pytest.raises(Refused, match=f"expected digest {release.digest[:12]}…, found .*: its files were changed"):
        write_layer(folder, release.digest, tmp_path / "layer.tar")


@pytest.mark.parametrize(
    ("media_type", "layer_type"),
    [
        (OCI_MANIFEST, "application/vnd.oci.image.layer.v1.tar"),
        (DOCKER_MANIFEST, "application/vnd.docker.image.rootfs.diff.tar"),
    ],
)
def test_the_image_is_the_base_and_the_release_on_top(
    media_type: str, layer_type: str, release: Release, build: Callable[[MemoryRegistry], Built]
) -> None:
    registry = MemoryRegistry()
    base = registry.add_base(media_type=media_type)
    built = build(registry)
    manifest, config = registry.image(built)
    assert built.image == Image(release=release.digest, repository=TARGET, digest=built.image.digest, base=base)
    assert registry.manifests[TARGET, built.image.digest][0] == manifest["mediaType"] == media_type
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["some", layer_type]
    assert manifest["layers"][1]["size"] == built.layer_bytes
    assert config["rootfs"]["diff_ids"] == ["sha256:" + "1" * 64, manifest["layers"][1]["digest"]]
    assert len(config["history"]) == len(manifest["layers"])
    assert "container" not in config


def test_the_image_says_whose_release_it_is_and_runs_it_as_nobody(
    release: Release, build: Callable[[MemoryRegistry], Built]
) -> None:
    registry = MemoryRegistry()
    base = registry.add_base()
    _, config = registry.image(build(registry))
    assert config["created"] == "2026-01-02T03:04:05+00:00"
    assert config["config"] == {
        "Entrypoint": ["python", "-m", "services.prediction", "/release"],
        "Env": ["PATH=/opt/venv/bin"],
        "Cmd": ["--digest", release.digest],
        "User": "10001:10001",
        "Labels": {
            "org.opencontainers.image.version": "0.1.0",
            "org.opencontainers.image.base.digest": base,
            "trackback.model": "diamond-price",
            "trackback.revision": "1-aaaaaaaa",
            "trackback.run": "a" * 32,
            "trackback.release": release.digest,
        },
    }


def test_a_second_build_is_the_same_image_and_sends_nothing(build: Callable[[MemoryRegistry], Built]) -> None:
    registry = MemoryRegistry()
    registry.add_base()
    first = build(registry)
    sent = list(registry.uploads)
    second = build(registry)
    assert (first.known, second.known) == (False, True)
    assert second.image == first.image
    assert registry.uploads == sent
    assert len(sent) == 3  # the layer, the configuration and the manifest; the base's own layer was lent


def test_a_registry_that_lends_no_layer_is_sent_a_copy(build: Callable[[MemoryRegistry], Built]) -> None:
    lending, other = MemoryRegistry(), MemoryRegistry(lends=False)
    for registry in (lending, other):
        registry.add_base()
    assert build(other).image == build(lending).image
    assert other.blobs[TARGET, digest_of(b"the layer of the base")] == b"the layer of the base"


def test_another_base_is_another_image(build: Callable[[MemoryRegistry], Built]) -> None:
    registry = MemoryRegistry()
    registry.add_base(media_type=OCI_MANIFEST)
    first = build(registry)
    registry.add_base(media_type=DOCKER_MANIFEST)
    second = build(registry)
    assert second.image.base != first.image.base
    assert second.image.digest != first.image.digest


@pytest.mark.parametrize("media_type", INDEXES)
def test_of_a_base_for_many_machines_ours_is_taken(
    media_type: str, build: Callable[[MemoryRegistry], Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    registry = MemoryRegistry()
    ours = registry.add_base("ours")
    machines = {"amd64": "sha256:" + "5" * 64, "arm64": ours}
    listed = [
        {"digest": digest, "platform": {"os": "linux", "architecture": name}} for name, digest in machines.items()
    ]
    registry.add(BASE, "0.1.0", media_type, {"mediaType": media_type, "manifests": listed})
    assert build(registry).image.base == ours
    del listed[1]
    registry.add(BASE, "0.1.0", media_type, {"mediaType": media_type, "manifests": listed})
    with pytest.raises(Refused, match=f"expected {BASE}:0.1.0 for linux/arm64, found linux/amd64: build it for"):
        build(registry)


@pytest.mark.parametrize(("tags", "found"), [((), "none"), (("0.0.8", "0.0.9"), r"0\.0\.8, 0\.0\.9")])
def test_a_base_that_is_absent_is_named_with_what_is_there(
    tags: tuple[str, ...], found: str, build: Callable[[MemoryRegistry], Built]
) -> None:
    registry = MemoryRegistry()
    for tag in tags:
        registry.add_base(tag)
    expected = rf"^expected {BASE}:0\.1\.0 in {URL}, found {found}: the rollout service brings it there"
    with pytest.raises(Refused, match=expected):
        build(registry)


def test_what_is_no_image_is_no_base(build: Callable[[MemoryRegistry], Built]) -> None:
    registry = MemoryRegistry()
    registry.add(BASE, "0.1.0", "application/vnd.example", {"schemaVersion": 1})
    with pytest.raises(Refused, match=f"^{BASE}:0.1.0: expected an image manifest, found application/vnd.example"):
        build(registry)


def test_a_configuration_that_was_changed_in_the_registry_is_refused(build: Callable[[MemoryRegistry], Built]) -> None:
    registry = MemoryRegistry()
    registry.add_base()
    digest = digest_of(json.dumps(BASE_CONFIG).encode())
    registry.blobs[BASE, digest] = b"{}"
    with pytest.raises(Refused, match=f"^expected {digest} of {URL}, found sha256:.*: its blob was changed$"):
        build(registry)
    assert registry.uploads == []


def refuse(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json={"errors": [{"code": "DENIED", "message": "not you"}]})


def fail(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("Connection refused", request=request)


def garble(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<html>a page</html>")


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (fail, f"expected a container registry at {URL}, cannot reach it (Connection refused): is it up?"),
        (garble, f"expected JSON of a container registry at {URL}{ASKED}, found something else: is it one?"),
        (refuse(500), f"expected the registry {URL} to accept GET {ASKED}, found 500: not you"),
        (
            refuse(401),
            f"expected the registry {URL} to accept GET {ASKED}, found 401: not you: "
            "give a user who may push, as http://user:password@… in TRACKBACK_REGISTRY_URL",
        ),
    ],
)
def test_a_registry_that_does_not_do_is_one_line_without_the_password(
    answer: Callable[[httpx.Request], httpx.Response], refusal: str, release: Release, store: Path, tmp_path: Path
) -> None:
    url = URL.replace("://", "://ada:lovelace@")
    folder = store / "releases" / release.digest
    with (
        ImageRegistry(url, httpx.MockTransport(answer)) as registry,
        pytest.raises(Refused) as refused,
    ):
        build_image(registry, release, folder, "0.1.0", tmp_path)
    assert str(refused.value) == refusal


def test_the_user_of_the_url_logs_in() -> None:
    seen = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.userinfo, request.headers["Authorization"]))
        return httpx.Response(404)

    with ImageRegistry("http://ada:love%40lace@registry.example", httpx.MockTransport(note)) as registry:
        assert registry.tags(BASE) == []
    assert seen == [(b"", "Basic YWRhOmxvdmVAbGFjZQ==")]


def test_package_records_the_image_beside_the_release(
    store: Path, release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = MemoryRegistry()
    registry.add_base("0.2.0")
    settings = Settings(store=store, registry_url=URL, base_tag="0.2.0")
    packaged = with_image(settings, release, registry.connect)
    assert packaged.image
    assert (packaged.digest, packaged.manifest) == (release.digest, release.manifest)
    assert Image.read(store / "images" / f"{release.digest}.json") == packaged.image
    assert Release.from_json(packaged.to_json()) == packaged
    assert f"image {TARGET}@{packaged.image.digest}: pushed in " in capsys.readouterr().err
    assert with_image(settings, release, registry.connect) == packaged
    assert f"image {TARGET}@{packaged.image.digest}: was there already, " in capsys.readouterr().err
    assert list((store / "staging").iterdir()) == []


def test_without_a_registry_or_a_service_there_is_no_image(tmp_path: Path) -> None:
    for_batch = build_release(tmp_path, ReleasePlan(servable=Servable(form=None, notes=("for batch",))))
    online = build_release(tmp_path)
    with_registry = Settings(store=tmp_path, registry_url=URL)
    without = Settings(store=tmp_path, registry_url=None)
    nobody = MemoryRegistry()
    assert with_image(with_registry, for_batch, nobody.connect) == for_batch
    assert with_image(without, online, nobody.connect) == online
    assert not (tmp_path / "images").exists()
    with nobody.connect() as registry, pytest.raises(Refused, match="for batch only: it has no image"):
        build_image(registry, for_batch, tmp_path / "releases" / for_batch.digest, "0.1.0", tmp_path)

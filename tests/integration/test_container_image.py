"""A release as an image in a real registry, run by a real engine: read-only, as nobody, without a capability."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker.errors import ImageNotFound
from docker.models.containers import Container

from services.contract import names
from services.contract.release import Image, Release
from services.delivery.packaging.image_registry import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    ImageRegistry,
    canonical,
    sha256_of,
)
from services.delivery.settings import Settings
from services.delivery.verbs.package import with_image
from services.rollout.containers.container_backend import ContainerBackend
from services.rollout.settings import Settings as RolloutSettings
from tests.support.container_engine import engine, image_of  # noqa: F401  a fixture
from tests.support.deleting_registry import DeletingRegistry
from tests.support.paths import ROOT
from tests.support.poll import poll_until
from tests.support.release_factory import ROWS, build_release, expected_predictions

BASE = f"{names.IMAGES}/prediction-sklearn"
TAG = "test"


@dataclass(frozen=True)
class Bench:
    """A registry with the base in it, and a release in a store."""

    engine: docker.DockerClient
    address: str
    settings: Settings
    release: Release


@pytest.fixture(scope="module")
def address(engine: docker.DockerClient) -> Iterator[str]:  # noqa: F811
    """Of a registry of our own, which lets nobody delete."""
    with registry_of(engine, {}) as (found, _):
        yield found


@contextmanager
def registry_of(engine: docker.DockerClient, environment: dict[str, str]) -> Iterator[tuple[str, Container]]:  # noqa: F811
    """Its address, and its container."""
    image = image_of(engine, "REGISTRY_IMAGE")
    ports = {"5000/tcp": ("127.0.0.1", 0)}
    registry = engine.containers.run(image, detach=True, ports=ports, environment=environment)
    try:
        found = f"127.0.0.1:{port_of(registry, 5000)}"
        poll_until(lambda: answers(f"http://{found}/v2/"), "the registry to answer")
        yield found, registry
    finally:
        registry.remove(force=True, v=True)


@pytest.fixture(scope="module")
def bench(
    engine: docker.DockerClient,  # noqa: F811
    address: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    base, store = f"{address}/{BASE}:{TAG}", tmp_path_factory.mktemp("store")
    arguments = {"PYTHON_IMAGE": image_of(engine, "PYTHON_IMAGE"), "RUNTIME": "sklearn", "VERSION": TAG}
    given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    command = ["docker", "build", "--file", "services/prediction/Dockerfile", *given, "--tag", base, "."]
    variables = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    settings = Settings(store=store, registry_url=f"http://{address}", base_tag=TAG)
    try:
        assert '"error"' not in engine.images.push(base)
        yield Bench(engine, address, settings, build_release(store))
    finally:
        engine.images.remove(base)


@pytest.fixture(scope="module")
def image(bench: Bench) -> Image:
    packaged = with_image(bench.settings, bench.release)
    assert packaged.image
    return packaged.image


@pytest.fixture
def service(bench: Bench, image: Image) -> Iterator[Container]:
    """As the rollout service starts it: by digest, and with next to nothing that it may do."""
    name = f"{bench.address}/{image.repository}@{image.digest}"
    container = bench.engine.containers.run(
        name,
        detach=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="512m",
        pids_limit=128,
        ports={f"{names.SERVING_PORT}/tcp": ("127.0.0.1", 0)},
    )
    try:
        yield container
    finally:
        container.remove(force=True)
        bench.engine.images.remove(name)


def port_of(container: Container, port: int) -> str:
    def look() -> str | None:
        container.reload()
        assert container.status in ("created", "running"), container.logs().decode()
        found = container.ports.get(f"{port}/tcp")
        return str(found[0]["HostPort"]) if found else None

    return poll_until(look, f"port {port} of {container.name}")


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def url_of(service: Container) -> str:
    url = f"http://127.0.0.1:{port_of(service, names.SERVING_PORT)}"
    poll_until(lambda: port_of(service, names.SERVING_PORT) and answers(f"{url}/health/ready"), f"{url} to be ready")
    return url


def state_of(service: Container) -> dict[str, Any]:
    service.reload()
    return dict(service.attrs["State"])


@dataclass
class EngineImages:
    """Tiny images of releases under names of their own, of a backend whose registry is at `address`."""

    engine: docker.DockerClient
    address: str
    backend: ContainerBackend
    made: list[str] = field(default_factory=list)

    def make(self, repository: str, digit: str, labelled: bool = True) -> str:
        """Named by its tag alone, as nobody has pushed it."""
        labels = {names.RELEASE_LABEL: digit * 64, names.MODEL_LABEL: "tiny", names.REVISION_LABEL: f"{digit}-aaaaaaaa"}
        changes = [f"LABEL {key}={value}" for key, value in labels.items()] if labelled else [f"ENV DIGIT={digit}"]
        self.engine.api.import_image_from_data(tiny_layer(), repository, digit, changes=changes)
        self.made.append(f"{repository}:{digit}")
        return self.made[-1]

    def pull(self, digit: str) -> str:
        """Named by its digest alone, as the rollout service pulls it."""
        name = self.make(f"{self.address}/{names.IMAGES}/tiny", digit)
        assert "error" not in self.engine.images.push(name)
        (by_digest,) = self.engine.images.get(name).attrs["RepoDigests"]
        self.engine.images.remove(name)
        self.engine.images.pull(by_digest)
        self.made.append(by_digest)
        return str(by_digest)

    def left(self, found: Sequence[str]) -> list[bool]:
        def is_there(name: str) -> bool:
            try:
                return bool(self.engine.images.get(name))
            except ImageNotFound:
                return False

        return [is_there(name) for name in found]


def tiny_layer() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("release")
        entry.size = 1000
        tar.addfile(entry, io.BytesIO(b"x" * 1000))
    return file.getvalue()


@pytest.fixture
def images(engine: docker.DockerClient, address: str, tmp_path: Path) -> Iterator[EngineImages]:  # noqa: F811
    settings = RolloutSettings(registry=address, gateway_runtime="127.0.0.1:9")
    bench = EngineImages(engine, address, ContainerBackend(settings, tmp_path, {}))
    try:
        yield bench
    finally:
        for name in bench.made:
            with suppress(ImageNotFound):
                engine.images.remove(name, force=True)


def test_release_images_that_nobody_keeps_go_from_the_engine_and_no_others(images: EngineImages) -> None:
    ours, theirs = f"{images.address}/{names.IMAGES}", f"rollout-test-other/{names.IMAGES}"
    goes, kept, used = (images.pull(digit) for digit in "123")
    staying = [images.make(f"{theirs}/tiny", "4"), images.make(f"{ours}/prediction-tiny", "5", labelled=False)]
    shared, alias = images.make(f"{ours}/tiny", "6"), f"{theirs}/tiny:6"
    images.engine.images.get(shared).tag(alias)
    images.made.append(alias)
    stopped = images.engine.containers.create(used, command="never")
    try:
        planned = images.backend.prune_images({"2" * 64}, dry_run=True)
        assert images.left([goes, shared]) == [True, True]
        done = images.backend.prune_images({"2" * 64}, dry_run=False)
    finally:
        stopped.remove(force=True)
    assert planned == done
    found = {image.revision: (image.model, image.names, image.bytes) for image in done}
    assert found == {"1-aaaaaaaa": ("tiny", (goes,), 1000), "6-aaaaaaaa": ("tiny", (shared,), 0)}
    assert images.left([goes, shared]) == [False, False]
    assert images.left([kept, used, *staying, alias]) == [True] * 5


def test_an_image_stays_while_its_release_is_about_to_start(images: EngineImages) -> None:
    name = images.pull("1")
    with images.backend._keeping_image("1" * 64):
        assert images.backend.prune_images((), dry_run=False) == []
    assert images.left([name]) == [True]
    assert [image.names for image in images.backend.prune_images((), dry_run=False)] == [(name,)]


def pushed(address: str, repository: str, content: bytes) -> tuple[str, str]:
    """A manifest without a tag, as `package` pushes it: its digest, and that of its layer."""
    with ImageRegistry(f"http://{address}") as registry:
        for blob in (content, b"{}"):
            registry.upload(repository, sha256_of(blob), blob)
        layer = {"mediaType": OCI_LAYER, "digest": sha256_of(content), "size": len(content)}
        config = {"mediaType": OCI_CONFIG, "digest": sha256_of(b"{}"), "size": 2}
        said = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
        manifest = canonical(said)
        registry.put_manifest(repository, sha256_of(manifest), manifest, OCI_MANIFEST)
    return sha256_of(manifest), sha256_of(content)


@pytest.mark.parametrize("deletes", [True, False])
def test_the_registry_of_the_unit_tests_is_no_kinder_than_a_real_one(
    engine: docker.DockerClient,  # noqa: F811
    deletes: bool,
) -> None:
    """The compose stack's setting enables what a registry refuses by default."""
    setting = {"REGISTRY_STORAGE_DELETE_ENABLED": "true"} if deletes else {}
    with registry_of(engine, setting) as (address, _):
        manifest, _ = pushed(address, "trackback/tiny", b"one")
        fake = DeletingRegistry(deletes, {f"trackback/tiny@{manifest}"})
        places = (("tiny", "latest"), ("other", manifest), ("tiny", manifest), ("tiny", manifest))
        for place in places:
            url = "http://{}/v2/trackback/{}/manifests/{}".format(address, *place)
            found, expected = httpx.delete(url, trust_env=False), fake.answer(httpx.Request("DELETE", url))
            assert (found.status_code, code_of(found)) == (expected.status_code, code_of(expected)), place


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["code"]) if answer.is_error else ""


def test_a_deleted_image_frees_its_layer_by_garbage_collection_and_images_without_a_tag_stay(
    engine: docker.DockerClient,  # noqa: F811
) -> None:
    """By the command of docs/rollout.md."""
    with registry_of(engine, {"REGISTRY_STORAGE_DELETE_ENABLED": "true"}) as (address, container):
        going, layer = pushed(address, "trackback/going", b"one")
        kept, kept_layer = pushed(address, "trackback/kept", b"two")
        with ImageRegistry(f"http://{address}") as registry:
            registry.delete_manifest("trackback/going", going)
            registry.delete_manifest("trackback/going", going)
            assert not registry.has_manifest("trackback/going", going)
            assert registry.has_blob("trackback/going", layer)
            # Registry 3 has it at the first place, 2.8 at the second.
            collect = "registry garbage-collect $(ls /etc/distribution/config.yml /etc/docker/registry/config.yml)"
            code, said = container.exec_run(["sh", "-c", collect])
            assert code == 0, said
            container.restart(timeout=1)
        with ImageRegistry(f"http://127.0.0.1:{port_of(container, 5000)}") as registry:
            poll_until(lambda: answers(f"{registry.url}/v2/"), "the registry to answer again")
            assert not registry.has_blob("trackback/going", layer)
            assert registry.has_manifest("trackback/kept", kept)
            assert registry.has_blob("trackback/kept", kept_layer)


def test_a_release_packaged_again_is_the_same_image_and_nothing_is_sent(
    bench: Bench, image: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_image(bench.settings, bench.release).image == image
    assert f"{image.digest}: was there already, " in capsys.readouterr().err
    assert Image.read(bench.settings.store / "images" / f"{bench.release.digest}.json") == image


def test_the_image_answers_with_next_to_nothing_that_it_may_do(bench: Bench, service: Container) -> None:
    url = url_of(service)
    question = {"instances": ROWS}
    answer = httpx.post(f"{url}/invocations", json=question, trust_env=False)
    expected = list(expected_predictions(bench.settings.store, bench.release))
    assert answer.json()["predictions"] == pytest.approx(expected, rel=1e-9)
    assert answer.headers[names.RELEASE_HEADER] == bench.release.digest
    code, status = service.exec_run(["cat", "/proc/1/status"])
    found = dict(line.split(":\t", 1) for line in status.decode().splitlines() if ":\t" in line)
    assert code == 0
    assert (found["Uid"].split()[1], found["Gid"].split()[1]) == ("10001", "10001")
    assert (int(found["CapEff"], 16), int(found["CapBnd"], 16), found["NoNewPrivs"]) == (0, 0, "1")


def test_the_engine_sees_that_it_is_healthy_and_whose_release_it_is(bench: Bench, service: Container) -> None:
    poll_until(lambda: state_of(service)["Health"]["Status"] == "healthy", "the engine's health check")
    assert service.labels[names.RELEASE_LABEL] == bench.release.digest
    assert service.labels[names.RUN_LABEL] == bench.release.manifest.candidate.run.run_id
    assert service.labels["org.opencontainers.image.version"] == TAG


def test_it_ends_gracefully_when_the_engine_stops_it(service: Container) -> None:
    url_of(service)
    service.stop(timeout=60)
    assert state_of(service)["ExitCode"] == 0


def test_an_image_whose_release_was_changed_never_answers(bench: Bench, image: Image) -> None:
    """The engine lays a changed file over the release; the service knows its digest."""
    name = f"{bench.address}/{image.repository}@{image.digest}"
    changed = bench.settings.store / "golden.json"
    changed.write_text("{}")
    mounts = {str(changed): {"bind": f"{names.RELEASE_FOLDER}/golden.json", "mode": "ro"}}
    container = bench.engine.containers.run(name, detach=True, read_only=True, volumes=mounts)
    try:
        assert container.wait(timeout=60)["StatusCode"] == 1
        assert "its files were changed" in container.logs().decode()
    finally:
        container.remove(force=True)
        bench.engine.images.remove(name)

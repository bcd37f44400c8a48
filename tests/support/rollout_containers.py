"""The neighbours of a rollout service that runs containers: networks, a registry and a gateway, all real."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import httpx
from docker.errors import ImageNotFound
from docker.models.containers import Container
from docker.models.networks import Network

from services.contract.release import Release
from services.delivery.settings import Settings
from services.delivery.verbs.package import with_image
from tests.support.container_engine import image_of
from tests.support.poll import poll_until
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_service import MODEL, PROJECT, RolloutService

RUNTIME_PORT = 9999
PREDICTION = "prediction-sklearn"
TAG = "rollout-test"


@dataclass(frozen=True)
class Neighbours:
    """`project` is in the name of everything that is made here."""

    engine: docker.DockerClient
    project: str
    registry: str
    base: str
    gateway: Container
    gateway_port: int
    releases: Network
    control: Network

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    def gateway_address(self, network: Network) -> str:
        self.gateway.reload()
        return str(self.gateway.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"])

    def gateway_answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2, trust_env=False).text == "ok"
        except httpx.TransportError:
            return False

    def settings(self, project: str, token_file: Path) -> dict[str, object]:
        return {
            "BACKEND": "containers",
            "PROJECT": project,
            "TOKEN_FILE": token_file,
            "REGISTRY": self.registry,
            "BASE_IMAGES": self.base,
            "NETWORK": self.releases.name,
            "GATEWAY_RUNTIME": f"{self.gateway_address(self.control)}:{RUNTIME_PORT}",
            "GATEWAY_URL": self.url,
            "PUBLIC_URL": self.url,
            "MEMORY_BYTES": 512 << 20,
        }


class ContainerRollout(RolloutService):
    """A rollout service whose releases are containers, in a project of its own."""

    def __init__(self, neighbours: Neighbours, folder: Path) -> None:
        self.neighbours = neighbours
        self.project = f"rollout-test-{secrets.token_hex(3)}"
        token, file = secrets.token_hex(8), folder / "token"
        file.write_text(f"{token}\n")
        super().__init__(folder, neighbours.settings(self.project, file), token)

    @property
    def url(self) -> str:
        return f"{self.neighbours.url}/models/{MODEL}"

    def containers(self, digest: str = "") -> list[Container]:
        labels = [f"trackback.project={self.project}", *([f"trackback.release={digest}"] if digest else [])]
        return list(self.neighbours.engine.containers.list(filters={"label": labels}))

    def everything(self) -> list[Container]:
        filters = {"label": f"trackback.project={self.project}"}
        return list(self.neighbours.engine.containers.list(all=True, filters=filters, ignore_removed=True))

    def recorded(self, plan: ReleasePlan) -> Release:
        """A release as `package` leaves it: in the store, its image in the registry, the image's record beside it."""
        settings = Settings(
            store=self.store,
            registry_url=f"http://{self.neighbours.registry}",
            base_tag=TAG,
        )
        return with_image(settings, build_release(self.store, plan))


@contextmanager
def neighbours(engine: docker.DockerClient) -> Iterator[Neighbours]:
    project = f"rollout-test-{secrets.token_hex(3)}"
    base = build_base(engine)
    registry_port, gateway_port = free_port(), free_port()
    releases = engine.networks.create(f"{project}-releases", internal=True)
    control = engine.networks.create(f"{project}-control")
    containers = []
    try:
        containers.append(_registry(engine, registry_port))
        containers.append(_gateway(engine, gateway_port, releases, control))
        found = Neighbours(
            engine, project, f"127.0.0.1:{registry_port}", base, containers[1], gateway_port, releases, control
        )
        poll_until(found.gateway_answers, "the gateway's health")
        yield found
    finally:
        for container in containers:
            container.remove(force=True, v=True)
        for network in (releases, control):
            network.remove()
        _remove_images(engine, (base, f"127.0.0.1:{registry_port}/"))


def _remove_images(engine: docker.DockerClient, beginnings: tuple[str, ...]) -> None:
    for image in engine.images.list():
        for name in (*image.attrs["RepoTags"], *image.attrs["RepoDigests"]):
            if name.startswith(beginnings):
                # With its last tag an image is gone, and every other name of it.
                with suppress(ImageNotFound):
                    engine.images.remove(name, force=True)


def build_base(engine: docker.DockerClient) -> str:
    """A base under a name that only this machine knows it by."""
    name = f"rollout-test/{PREDICTION}:{TAG}"
    arguments = {"PYTHON_IMAGE": image_of(engine, "PYTHON_IMAGE"), "RUNTIME": "sklearn"}
    given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    command = ["docker", "build", "--file", "services/prediction/Dockerfile", *given, "--tag", name, "."]
    variables = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    done = subprocess.run(command, cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    return name


def _registry(engine: docker.DockerClient, port: int) -> Container:
    image = image_of(engine, "REGISTRY_IMAGE")
    return engine.containers.run(image, detach=True, ports={"5000/tcp": ("127.0.0.1", port)})


def _gateway(engine: docker.DockerClient, port: int, releases: Network, control: Network) -> Container:
    container = engine.containers.create(
        image_of(engine, "HAPROXY_IMAGE"),
        network=releases.name,
        ports={"8080/tcp": ("127.0.0.1", port)},
        volumes={str(PROJECT / "services" / "gateway"): {"bind": "/usr/local/etc/haproxy", "mode": "ro"}},
        user="99:99",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="256m",
    )
    control.connect(container, aliases=["gateway-runtime"])
    container.start()
    return container

"""The container engine: the only module of the project that speaks to it (docs/security.md says what that means)."""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import docker
import docker.errors
import docker.models.containers
import docker.models.images
import requests
import urllib3
from docker.types import LogConfig, Ulimit

from services.contract import names
from services.contract.engine_images import EngineImage
from services.contract.errors import Refused

USER = "10001:10001"
MAX_PROCESSES = 128
TEMPORARY = {"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"}  # noqa: S108
PROJECT_LABEL = "trackback.project"


@dataclass(frozen=True)
class Plan:
    """A container's limits, and its name: `<project>-<name>-<8 random hex digits>`.

    `volumes` are made when there are none of their names, and stay when the container goes: name and folder.
    """

    project: str
    name: str
    network: str
    memory_bytes: int
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)


class Container:
    """`address` is the one on the network of the releases, empty when it is not there."""

    def __init__(self, found: docker.models.containers.Container, network: str) -> None:
        self._found = found
        self._started = found.attrs["State"]["StartedAt"]
        self.name: str = found.name
        self.labels: Mapping[str, str] = found.labels
        self.address: str = found.attrs["NetworkSettings"]["Networks"].get(network, {}).get("IPAddress", "")

    def running(self) -> bool:
        with contextlib.suppress(Refused), _engine("tell how a container is"):
            self._found.reload()
            state = self._found.attrs["State"]
            # One that somebody else started again has another address.
            return bool(state["Running"] and state["StartedAt"] == self._started)
        return False

    def last_log_line(self) -> str:
        with contextlib.suppress(Refused), _engine("show a container's log"):
            if said := self._found.logs(tail=1).decode(errors="replace").strip():
                return str(said)
        return "it said nothing"

    @contextlib.contextmanager
    def read(self, folder: str) -> Iterator[Iterable[bytes]]:
        """A folder of it as tar, its volumes included."""
        with _engine(f"read {folder} of the container {self.name}"):
            yield self._found.get_archive(folder)[0]

    def ask(self, command: Sequence[str]) -> str:
        """What a program says that is run inside of it, as its user. Raises Refused with its complaint."""
        with _engine(f"run {command[0]} in the container {self.name}"):
            status, (said, complained) = self._found.exec_run(list(command), demux=True)
        if status:
            raise Refused(f"{self.name}: {(complained or b'it said nothing').decode(errors='replace').strip()}")
        return str((said or b"").decode(errors="replace"))

    def remove(self, seconds: int) -> None:
        """Asks it to end, waits up to `seconds`, then forces it."""
        with contextlib.suppress(docker.errors.NotFound), _engine(f"remove the container {self.name}"):
            if seconds:
                self._found.stop(timeout=seconds)
            self._found.remove(force=True, v=True)


class ContainerEngine:
    """Every call raises Refused when the engine does not answer or says no."""

    def __init__(self) -> None:
        with _engine("answer"):
            self._client = docker.from_env()

    def check_network(self, name: str) -> None:
        with _engine(f"show the network {name}"):
            self._client.networks.get(name)

    def push(self, image: str, reference: str) -> bool:
        """A local image to a registry; False when that has the same already. Both with their tags."""
        repository, _, tag = reference.rpartition(":")
        with _engine(f"push {image} as {reference}"):
            local = self._client.images.get(image)
            if f"{repository}@{self._digest(repository, tag)}" in local.attrs["RepoDigests"]:
                return False
            local.tag(repository, tag)
            _follow(self._client.images.push(repository, tag, stream=True, decode=True))
        return True

    def fetch(self, reference: str) -> Mapping[str, str]:
        """The labels of the image, which is pulled when it is not here. `reference` ends with its digest."""
        with _engine(f"pull {reference}"):
            try:
                image = self._client.images.get(reference)
            except docker.errors.ImageNotFound:
                image = self._client.images.pull(reference)
            return dict(image.labels)

    def unused_images(self, repositories: str) -> list[EngineImage]:
        """Of releases, and of no container, whoever's. `repositories` is how the names begin that are ours."""
        with _engine("list the images of releases"):
            used = {one["ImageID"] for one in self._client.api.containers(all=True)}
            found = self._client.images.list(filters={"label": names.RELEASE_LABEL})
            return [one for image in found if image.id not in used and (one := _ours(image, repositories))]

    def remove_image(self, image: EngineImage) -> None:
        """Takes our names from it, and with the last name of all the engine removes it. Nothing is forced: an image
        that a container has meanwhile stays, and Refused is raised."""
        for name in image.names:
            # A name by digest goes with the tag of the same repository.
            with contextlib.suppress(docker.errors.ImageNotFound), _engine(f"remove the image {name}"):
                self._client.images.remove(name, noprune=True)

    @contextlib.contextmanager
    def read(self, reference: str, folder: str, project: str) -> Iterator[Iterable[bytes]]:
        """The image's folder as tar, from a container that never runs."""
        with _engine(f"read {folder} of {reference}"):
            container = self._client.containers.create(reference, labels={PROJECT_LABEL: project}, network_mode="none")
            try:
                yield container.get_archive(folder)[0]
            finally:
                container.remove(force=True, v=True)

    def run(self, reference: str, plan: Plan, labels: Mapping[str, str]) -> Container:
        with _engine(f"start {reference}"):
            container = self._client.containers.create(
                reference,
                name=f"{plan.project}-{plan.name}-{secrets.token_hex(4)}",
                labels={**labels, PROJECT_LABEL: plan.project},
                network=plan.network,
                mem_limit=plan.memory_bytes,
                memswap_limit=plan.memory_bytes,
                environment=dict(plan.environment),
                volumes={name: {"bind": folder, "mode": "rw"} for name, folder in plan.volumes.items()},
                **_CONFINED,
            )
            try:
                container.start()
                container.reload()
            except docker.errors.DockerException:
                container.remove(force=True, v=True)
                raise
            return Container(container, plan.network)

    def containers(self, project: str, network: str) -> list[Container]:
        """Those of this project that run; what is left of others is removed."""
        ours = {"label": f"{PROJECT_LABEL}={project}"}
        with _engine("list the containers"):
            found = self._client.containers.list(all=True, filters=ours, ignore_removed=True)
            for container in found:
                if container.status != "running":
                    container.remove(force=True, v=True)
            return [Container(container, network) for container in found if container.status == "running"]

    def ends(self, project: str) -> Iterator[None]:
        """One for each container of this project that ends; there is no last one."""
        ends = {"type": "container", "event": "die", "label": f"{PROJECT_LABEL}={project}"}
        with _engine("tell which containers end"):
            yield from (None for _ in self._client.events(filters=ends))

    def _digest(self, repository: str, tag: str) -> str | None:
        try:
            return str(self._client.images.get_registry_data(f"{repository}:{tag}").id)
        except docker.errors.NotFound:
            return None


_CONFINED: Mapping[str, Any] = {
    "user": USER,
    "read_only": True,
    "tmpfs": TEMPORARY,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": MAX_PROCESSES,
    "ulimits": [Ulimit(name="core", soft=0, hard=0)],
    "init": True,
    "healthcheck": {"test": ["NONE"]},  # the gateway asks
    "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "3"}),
}


def _ours(image: docker.models.images.Image, repositories: str) -> EngineImage | None:
    """None without a name of ours, and for labels that `package` does not write."""
    labels, every = image.labels, [*(image.attrs["RepoTags"] or ()), *(image.attrs["RepoDigests"] or ())]
    ours = tuple(name for name in every if name.startswith(repositories))
    if not ours or not (names.SHA256.fullmatch(labels[names.RELEASE_LABEL]) and names.MODEL_LABEL in labels):
        return None
    return EngineImage(
        model=labels[names.MODEL_LABEL],
        revision=labels.get(names.REVISION_LABEL, ""),
        release=labels[names.RELEASE_LABEL],
        names=ours,
        bytes=image.history()[0]["Size"] if len(ours) == len(every) else 0,
    )


def _follow(progress: Iterable[Mapping[str, str]]) -> None:
    for line in progress:
        if "error" in line:
            raise docker.errors.APIError(line["error"])


@contextlib.contextmanager
def _engine(action: str) -> Iterator[None]:
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError) as error:
        said = getattr(error, "explanation", None) or error
        raise Refused(f"expected the container engine to {action}: {said}") from error

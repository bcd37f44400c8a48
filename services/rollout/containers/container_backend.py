"""Releases as containers behind the gateway: verified before they run, confined while they do."""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock, Thread

from services.contract import names
from services.contract.engine_images import EngineImage
from services.contract.errors import Refused
from services.contract.serving_settings import (
    CONTROL,
    CONTROL_IN_MEMORY,
    FIGURES,
    FIGURES_IN_MEMORY,
    PREDICTIONS,
    PREDICTIONS_VOLUME,
)
from services.contract.waiting import retry
from services.rollout.checks import confirm, tcp_client
from services.rollout.containers.engine import Container, ContainerEngine, Plan
from services.rollout.containers.gateway import Gateway
from services.rollout.containers.image_check import check_contents, check_labels
from services.rollout.containers.logged_lines import logged_lines
from services.rollout.containers.replicas import Replicas
from services.rollout.containers.route import Route
from services.rollout.containers.serving_container import STOP_SECONDS, ServingContainer
from services.rollout.containers.slots import Slots
from services.rollout.release_store import StoredRelease
from services.rollout.serving import SCRAPE_SECONDS, Scraped, Serving
from services.rollout.settings import Settings

START_SECONDS = 60.0
RECONNECT_SECONDS = 0.1
CLOSE_GRACE_SECONDS = 1.0
log = logging.getLogger(__name__)


class ContainerBackend:
    """A Backend. Only containers with our project's label are ever touched."""

    def __init__(self, settings: Settings, state: Path, passed: Mapping[str, str]) -> None:
        self._settings = settings
        self._passed = passed
        self._gateway = Gateway(settings.gateway_runtime)
        self._slots = Slots(state, self._gateway)
        self._engine = ContainerEngine()
        self._lock = Lock()
        self._closed = False
        self._starting: list[str] = []

    def prepare(self) -> None:
        """Waits for what may start later than we do, then offers the base images to the pipelines."""
        wait_for("the gateway", self._gateway.slots)
        wait_for("the network of the releases", lambda: self._engine.check_network(self._settings.network))
        for image in self._settings.base_images:
            wait_for(f"the base image {image}", partial(self._offer, image))

    def start(self, release: StoredRelease) -> Serving:
        """With one replica; the others come when it answers."""
        return self._replicas([self._run(release)])

    def prune_images(self, kept: Collection[str], dry_run: bool) -> list[EngineImage]:
        unused = self._engine.unused_images(f"{self._settings.registry}/{names.IMAGES}/")
        going = [image for image in unused if image.release not in kept]
        return [image for image in going if dry_run or self._removed(image)]

    def _removed(self, image: EngineImage) -> bool:
        with self._lock:
            if image.release in self._starting:
                return False
            try:
                self._engine.remove_image(image)
            except Refused as refusal:
                log.warning("%s", refusal)
                return False
        return True

    @contextlib.contextmanager
    def _keeping_image(self, release: str) -> Iterator[None]:
        """From before it is pulled until a container has it, nobody removes the image."""
        with self._lock:
            self._starting.append(release)
        try:
            yield
        finally:
            with self._lock:
                self._starting.remove(release)

    def _run(self, release: StoredRelease) -> ServingContainer:
        with self._keeping_image(release.digest):
            return self._run_verified(release)

    def _run_verified(self, release: StoredRelease) -> ServingContainer:
        reference, image_labels = self._verified(release)
        plan = self._plan(release, image_labels)
        labels = {names.MODEL_LABEL: release.model, names.RELEASE_LABEL: release.digest}
        labels[names.LOGS_PREDICTIONS_LABEL] = str(bool(plan.volumes))
        labels[names.REPLICAS_LABEL] = str(release.manifest.limits.replicas)
        with self._lock:
            if self._closed:
                raise Refused("the rollout service is stopping: ask again when it is back")
            return self._serving(self._engine.run(reference, plan, labels))

    def _plan(self, release: StoredRelease, image_labels: Mapping[str, str]) -> Plan:
        settings = self._settings
        environment, volumes = {FIGURES: FIGURES_IN_MEMORY, **self._passed}, {}
        if names.CONTROL_LABEL in image_labels:
            # An image from before knows no such variable, and would not start.
            environment[CONTROL] = CONTROL_IN_MEMORY
        if release.manifest.limits.prediction_log.share:
            environment[PREDICTIONS] = PREDICTIONS_VOLUME
            volumes[f"{settings.project}_predictions_{release.model}"] = PREDICTIONS_VOLUME
        return Plan(settings.project, release.model, settings.network, settings.memory_bytes, environment, volumes)

    def adopt(self) -> list[Serving]:
        together: dict[tuple[str, str], list[ServingContainer]] = {}
        for container in self._ours():
            if not container.in_use():
                # It was loading when the service that started it ended, so nobody waits for it any more.
                container.kill()
                continue
            together.setdefault((container.model, container.release), []).append(container)
        return [self._replicas(containers) for containers in together.values()]

    def url(self, model: str) -> str | None:
        return f"{self._settings.public_url.rstrip('/')}/models/{model}" if self._slots.find(model) else None

    def open_address(self, model: str) -> None:
        self._route(model).open()

    def publish(self, models: Collection[str]) -> None:
        self._gateway.publish({model: self._slots.assign(model) for model in models})

    def watch(self, on_change: Callable[[], None]) -> None:
        for wait in (self._wait_containers, lambda _: self._gateway.wait_until_lost()):
            Thread(target=self._watch, args=(wait, on_change), daemon=True).start()

    def close_address(self, model: str) -> None:
        try:
            self._gateway.unmap_model(model)
        except Refused as refusal:
            log.warning("%s: %s", model, refusal)

    def confirm(self, model: str, release: str) -> None:
        confirm(f"{self._settings.gateway_url.rstrip('/')}/models/{model}", release)

    def scraped(self) -> list[Scraped]:
        return [
            Scraped(one.model, one.name, one.release, partial(tcp_client, one.address, SCRAPE_SECONDS))
            for one in self._ours()
        ]

    def logged(self, model: str) -> Iterator[bytes]:
        for container in self._ours():
            # Those of a model share its volume, so any of them that has it will do.
            if container.model == model and container.logs_predictions:
                with container.read(PREDICTIONS_VOLUME) as archive:
                    yield from logged_lines(archive)
                return
        raise Refused(
            f"expected a container of {model} that keeps a prediction log, found none: give it a share in model.yaml "
            "(serving.prediction_log), promote again, and ask while it answers"
        )

    def close(self) -> None:
        with self._lock:
            self._closed = True
        try:
            threads = [Thread(target=one.stop_and_clean_up, args=(CLOSE_GRACE_SECONDS,)) for one in self._ours()]
        except Refused as refusal:
            log.error("the containers go on: %s", refusal)
            return
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(CLOSE_GRACE_SECONDS + 2 * STOP_SECONDS)

    def _verified(self, release: StoredRelease) -> tuple[str, Mapping[str, str]]:
        """Reference and labels of an image that holds exactly this release. Raises Refused, and nothing of it has
        run."""
        image = release.release.image
        if image is None:
            raise Refused(f"expected a recorded image of release {release.digest[:12]}…, found none: package it again")
        reference = f"{self._settings.registry}/{image.repository}@{image.digest}"
        labels = self._engine.fetch(reference)
        check_labels(labels, release)
        with self._engine.read(reference, names.RELEASE_FOLDER, self._settings.project) as archive:
            check_contents(archive, release)
        return reference, labels

    def _offer(self, image: str) -> None:
        # The pipelines look for it under this name, whichever it has on this machine.
        reference = f"{self._settings.registry}/{names.IMAGES}/{image.rpartition('/')[2]}"
        new = self._engine.push(image, reference)
        log.info("%s %s", reference, "was pushed" if new else "is in the registry already")

    def _ours(self) -> list[ServingContainer]:
        found = self._engine.containers(self._settings.project, self._settings.network)
        return [self._serving(container) for container in found]

    def _serving(self, container: Container) -> ServingContainer:
        route = self._route(container.labels[names.MODEL_LABEL])
        return ServingContainer(container, route, self._settings.load_seconds)

    def _replicas(self, containers: Sequence[ServingContainer]) -> Replicas:
        return Replicas(containers, self._route(containers[0].model))

    def _watch(self, wait: Callable[[Callable[[], None]], None], on_change: Callable[[], None]) -> None:
        """Waits again after the engine or the gateway was gone; what happened meanwhile is a change as well."""
        while not self._closed:
            with contextlib.suppress(Refused):
                wait(on_change)
            on_change()
            time.sleep(RECONNECT_SECONDS)

    def _wait_containers(self, on_change: Callable[[], None]) -> None:
        for _ in self._engine.ends(self._settings.project):
            on_change()

    def _route(self, model: str) -> Route:
        return Route(model, self._gateway, self._slots)


def wait_for(what: str, attempt: Callable[[], object], seconds: float = START_SECONDS) -> None:
    """Tries again until it is no more refused. Raises the last Refused after `seconds`."""
    try:
        attempt()
    except Refused as refusal:
        log.warning("waiting for %s: %s", what, refusal)
        retry(attempt, seconds, (Refused,))

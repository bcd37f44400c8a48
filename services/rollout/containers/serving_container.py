"""One container with a release: checked directly before it gets traffic, taken out of the gateway before it ends."""

import contextlib
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager

import httpx

from services.contract import names
from services.contract.control_protocol import Command, Reply, Split, Verb
from services.contract.errors import Refused
from services.contract.serving_settings import CONTROL_IN_MEMORY
from services.rollout.analysis.figures import Seen
from services.rollout.checks import LOOK_SECONDS, identity, replay_golden, tcp_client, wait_until_ready
from services.rollout.containers.engine import Container
from services.rollout.containers.route import Route
from services.rollout.release_store import StoredRelease

STOP_SECONDS = 5
TELL = ("python", "-m", "services.prediction.tell", CONTROL_IN_MEMORY)
log = logging.getLogger(__name__)


class ServingContainer:
    def __init__(self, container: Container, route: Route, load_seconds: float) -> None:
        self._container = container
        self._route = route
        self._load_seconds = load_seconds
        self.name = container.name
        self.address = f"{container.address}:{names.SERVING_PORT}"

    @property
    def model(self) -> str:
        return self._container.labels[names.MODEL_LABEL]

    @property
    def release(self) -> str:
        return self._container.labels[names.RELEASE_LABEL]

    @property
    def replicas(self) -> int:
        """How many replicas its release asks for."""
        return int(self._container.labels.get(names.REPLICAS_LABEL, 1))

    @property
    def logs_predictions(self) -> bool:
        return self._container.labels.get(names.LOGS_PREDICTIONS_LABEL) == str(True)

    def read(self, folder: str) -> AbstractContextManager[Iterable[bytes]]:
        """A folder of it as tar. Raises Refused."""
        return self._container.read(folder)

    def alive(self) -> bool:
        return self._container.running()

    def in_use(self) -> bool:
        """Whether it is a server of the gateway, or ready to become one. Never raises."""
        with contextlib.suppress(Refused):
            if self._route.has_server(self.name):
                return True
        return identity(f"http://{self.address}") == self.release

    def wait_ready(self) -> None:
        wait_until_ready(self._answers, self.release, self._load_seconds)

    def _answers(self) -> bool:
        """Raises Refused when it ended, or another release answers there."""
        if (found := identity(f"http://{self.address}")) == self.release:
            return True
        if found:
            raise Refused(f"expected release {self.release[:12]}… in its container, found {found[:12]}…")
        if not self.alive():
            raise Refused(f"release {self.release[:12]}… ended while loading: {self._container.last_log_line()}")
        return False

    def check(self, release: StoredRelease) -> None:
        replay_golden(tcp_client(self.address), release)

    def hand_on(self, split: Split | None) -> None:
        """Raises Refused when it does not obey, and for a split in an image from before it could."""
        if names.CONTROL_LABEL in self._container.labels:
            self._tell(Command(verb=Verb.SPLIT, split=split))
        elif split:
            raise Refused(
                f"expected a live release that can hand requests on, found {self.release[:12]}… in an image from "
                "before: promote without shadow and canary in model.yaml once, and again with them"
            )

    def seen(self) -> Seen:
        try:
            with tcp_client(self.address, LOOK_SECONDS) as client:
                return Seen.parse(client.get("/metrics").raise_for_status().text)
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"expected the container {self.name} to tell its metrics, found {error!r}") from error

    def stop_traffic(self) -> None:
        """The gateway sends no requests here any more. Never raises, does not wait."""
        with contextlib.suppress(Refused):
            self._route.take_out(self.name, 0.0)

    def kill(self) -> None:
        self.stop_and_clean_up(0.0)

    def stop_and_clean_up(self, grace: float) -> None:
        """Takes it out of the gateway first, so that no request is sent to a container that ends."""
        with contextlib.suppress(Refused):
            self._route.take_out(self.name, grace)
        try:
            self._container.remove(STOP_SECONDS if grace else 0)
        except Refused as refusal:
            log.warning("%s stays for now: %s", self.name, refusal)
        with contextlib.suppress(Refused):
            self._route.remove(self.name)

    def _tell(self, command: Command) -> None:
        said = self._container.ask([*TELL, command.model_dump_json()])
        if error := Reply.from_json(said, f"what {self.name} replied").error:
            raise Refused(f"{self.name} refused '{command.verb}': {error}")

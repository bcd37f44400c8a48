"""A machine for the rollout to play on: its processes only say what they do."""

import socket
from dataclasses import dataclass, field
from pathlib import Path

from services.contract.deployment import DeployRequest, RollbackRequest
from services.contract.errors import Refused
from services.rollout.listeners import Listeners
from services.rollout.serving import Serving
from services.rollout.store import Store, StoredRelease
from services.rollout.traffic import Means
from tests.release_factory import ReleasePlan, build_release, train

MODEL = "diamond-price"
BACK = RollbackRequest(by="grace", reason="complaints")


@dataclass(eq=False)
class PlayedServing:
    """A process that does as it is told, except what it `refuses`."""

    model: str
    release: str
    refuses: frozenset[str] = frozenset()
    running: bool = True
    accepts_on: socket.socket | None = None

    def alive(self) -> bool:
        return self.running

    def wait_ready(self) -> None:
        self._do("wait_ready")

    def check(self, release: StoredRelease) -> None:
        assert release.digest == self.release
        self._do("check")

    def go(self, listener: socket.socket) -> None:
        self._do("go")
        self.accepts_on = listener

    def drain(self) -> None:
        self._do("drain")
        self.accepts_on = None

    def listener(self) -> socket.socket | None:
        self._do("listener")
        return self.accepts_on

    def retire(self, grace: float) -> None:
        assert grace > 0
        self.kill()

    def kill(self) -> None:
        self.running, self.accepts_on = False, None

    def _do(self, verb: str) -> None:
        if not self.running or verb in self.refuses:
            raise Refused(f"it does not {verb}")


@dataclass
class PlayedLauncher:
    """Remembers every process; the next ones refuse what `refuses` says."""

    refuses: frozenset[str] = frozenset()
    all: list[PlayedServing] = field(default_factory=list)
    left: list[PlayedServing] = field(default_factory=list)

    def start(self, release: StoredRelease) -> Serving:
        self.all.append(PlayedServing(release.manifest.model, release.digest, self.refuses))
        return self.all[-1]

    def adopt(self) -> list[Serving]:
        return list(self.left)

    def close(self) -> None:
        for serving in self.all:
            serving.kill()

    def accepting(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.accepts_on]

    def loaded(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.running]


@dataclass
class Stage:
    """One model on a machine that is played; `machine()` is what a restarted service would find."""

    state: Path
    store: Path
    port: int
    launcher: PlayedLauncher = field(default_factory=PlayedLauncher)
    unreachable: bool = False

    def means(self) -> Means:
        listeners = Listeners("127.0.0.1", self.port, self.state)
        return Means(self.state, Store(self.store), self.launcher, listeners, self._confirm, drain_seconds=1.0)

    def _confirm(self, url: str, release: str) -> None:
        if self.unreachable or self.launcher.accepting() != [release]:
            raise Refused(f"{url} does not answer as {release[:8]}")


def ask_for(digest: str) -> DeployRequest:
    return DeployRequest(release=digest, by="ada", reason="why not")


def three_releases(store: Path) -> list[str]:
    """Digests of promotions 1, 2 and 3."""
    estimator = train(4000.0)
    return [build_release(store, ReleasePlan(number=number, estimator=estimator)).digest for number in (1, 2, 3)]

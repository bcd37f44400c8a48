"""A fake machine for the rollout: its processes only record what they are told."""

import errno
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Self

from services.contract.backoff import Clock
from services.contract.control_protocol import Split, Workers
from services.contract.deployment import DeployRequest, RollbackRequest
from services.contract.engine_images import EngineImage
from services.contract.errors import Refused
from services.rollout.analysis.figures import Seen
from services.rollout.notifier import Notifier
from services.rollout.processes.listeners import Listeners
from services.rollout.release_store import ReleaseStore, StoredRelease
from services.rollout.serving import Scraped, Serving, Unreachable
from services.rollout.traffic import Dependencies
from tests.support.release_factory import ReleasePlan, build_release

MODEL = "diamond-price"
BACK = RollbackRequest(by="grace", reason="complaints")


LONGEST_LOAD_SECONDS = 60.0


def set_signal() -> Event:
    signal = Event()
    signal.set()
    return signal


@dataclass(eq=False)
class FakeServing:
    """Does as it is told, except what it `refuses`; nobody finds the way to it while its address is `lost`. It is
    ready as soon as it `may_load`. What it took in ends with it."""

    model: str
    release: str
    listeners: Listeners
    refuses: frozenset[str] = frozenset()
    running: bool = True
    accepts_on: socket.socket | None = None
    lost: bool = False
    torn: bool = False
    without_address: bool = False
    drops: int = 0
    split: Split | None = None
    splits: list[Split | None] = field(default_factory=list)
    sees: Callable[[], Seen] = field(default=lambda: Seen())
    counted: Workers | None = None
    spares: list[Self] = field(default_factory=list)
    loading: Event = field(default_factory=Event)
    may_load: Event = field(default_factory=set_signal)

    def alive(self) -> bool:
        return self.running

    def reachable(self) -> bool:
        return not self.lost

    def complete(self) -> bool:
        return not self.torn

    def workers(self) -> Workers | None:
        return self.counted

    def drop_ended(self) -> None:
        self.drops += 1

    def add(self, spare: Self) -> None:
        assert spare.release == self.release
        self._do("add")
        self.torn = False
        self.spares.append(spare)

    def wait_ready(self) -> None:
        self.loading.set()
        assert self.may_load.wait(LONGEST_LOAD_SECONDS), "nobody let it load"
        self._do("wait_ready")

    def check(self, release: StoredRelease) -> None:
        assert release.digest == self.release
        self._do("check")

    def go(self) -> None:
        self._do("go")
        self.accepts_on = self.listeners.listen(self.model)
        self.lost = False

    def drain(self) -> None:
        self._do("drain")
        self.accepts_on = None

    def targets(self) -> tuple[str, ...]:
        return (f"{self.release[:8]}.http",)

    def hand_on(self, split: Split | None) -> None:
        self._do("hand_on")
        self.split = split
        self.splits.append(split)

    def seen(self) -> Seen:
        self._do("seen")
        return self.sees()

    def retire(self, grace: float) -> None:
        assert grace > 0
        self.kill()

    def kill(self) -> None:
        self.running, self.accepts_on = False, None
        for spare in self.spares:
            spare.kill()

    def _do(self, verb: str) -> None:
        if self.without_address and verb in ("go", "drain"):
            raise Unreachable("the address cannot be changed")
        if not self.running or verb in self.refuses:
            raise Refused(f"it does not {verb}")


@dataclass
class FakeBackend:
    """Remembers all that it started; the next ones refuse what `refuses` says."""

    listeners: Listeners
    refuses: frozenset[str] = frozenset()
    unreachable: bool = False
    may_load: Event = field(default_factory=set_signal)
    sees: Callable[[], Seen] = field(default=lambda: Seen())
    all: list[FakeServing] = field(default_factory=list)
    left: list[FakeServing] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    log: dict[str, list[bytes]] = field(default_factory=dict)
    images: list[EngineImage] = field(default_factory=list)

    def start(self, release: StoredRelease) -> Serving:
        serving = FakeServing(
            release.model, release.digest, self.listeners, self.refuses, may_load=self.may_load, sees=self.sees
        )
        self.all.append(serving)
        return serving

    def adopt(self) -> list[Serving]:
        return list(self.left)

    def url(self, model: str) -> str | None:
        return self.listeners.url(model)

    def open_address(self, model: str) -> None:
        self.listeners.listen(model)

    def publish(self, models: Collection[str]) -> None:
        self.published = sorted(models)

    def watch(self, on_change: Callable[[], None]) -> None:
        self.wake = on_change

    def close_address(self, model: str) -> None:
        self.listeners.drop(model)

    def confirm(self, model: str, release: str) -> None:
        if self.unreachable or self.accepting() != [release]:
            raise Refused(f"{self.url(model)} does not answer as {release[:8]}")

    def scraped(self) -> list[Scraped]:
        return []

    def logged(self, model: str) -> Iterator[bytes]:
        yield from self.log.get(model, ())

    def prune_images(self, kept: Collection[str], dry_run: bool) -> list[EngineImage]:
        found = [image for image in self.images if image.release not in kept]
        if not dry_run:
            self.images = [image for image in self.images if image not in found]
        return found

    def close(self) -> None:
        for serving in self.all:
            serving.kill()
        self.listeners.close()

    def accepting(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.accepts_on]

    def loaded(self) -> list[str]:
        return [serving.release for serving in self.all + self.left if serving.running]


@dataclass
class FakeMachine:
    """One model on a fake machine; `restart` leaves what the next service would find."""

    state: Path
    store: Path
    port: int
    notifier: Notifier = field(default_factory=Notifier)

    def __post_init__(self) -> None:
        self.backend = FakeBackend(self._listeners())

    def dependencies(self, clock: Clock = time.monotonic) -> Dependencies:
        store = ReleaseStore(self.store)
        return Dependencies(self.state, store, self.backend, drain_seconds=1.0, notifier=self.notifier, clock=clock)

    def close(self) -> None:
        self.notifier.close()
        self.backend.close()

    def restart(self, left: Sequence[FakeServing]) -> None:
        """What the next service finds: what the last one `left`, and the sockets on which that accepts."""
        self.backend.listeners.close()
        self.backend = FakeBackend(self._listeners(), left=list(left))
        for serving in left:
            serving.listeners = self.backend.listeners

    def _listeners(self) -> Listeners:
        return Listeners("127.0.0.1", self.port, self.state)


@dataclass
class FullDisk:
    """Takes no line of a ledger that a test `refuses`."""

    refuses: Callable[[bytes], bool] = lambda _: False

    def take(self, line: bytes) -> None:
        if self.refuses(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def ask_for(digest: str) -> DeployRequest:
    return DeployRequest(release=digest, by="ada", reason="why not")


def three_releases(store: Path) -> list[str]:
    """Digests of promotions 1, 2 and 3."""
    return [build_release(store, ReleasePlan(number=number)).digest for number in (1, 2, 3)]

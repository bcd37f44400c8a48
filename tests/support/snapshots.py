"""A fake machine as it is at a fail point: what the next service would find if this one were killed there."""

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from services.rollout.fail_points import FailPoint, telling
from tests.support.rollout_fakes import FakeMachine, FakeServing


@dataclass(frozen=True)
class Snapshot:
    """Nothing that happens after it is in it, as after a kill -9: no `finally` of a test's own has run."""

    point: FailPoint
    state: Path
    running: Sequence[FakeServing]

    @classmethod
    def of(cls, machine: FakeMachine, point: FailPoint, folder: Path) -> "Snapshot":
        shutil.copytree(machine.state, folder)
        every = machine.backend.all + machine.backend.left
        return cls(point, folder, [replace(one, refuses=frozenset()) for one in every if one.running])

    def next_machine(self, folder: Path, store: Path, port: int) -> FakeMachine:
        """What the next service finds, with its state in `folder`."""
        shutil.copytree(self.state, folder)
        machine = FakeMachine(folder, store, port)
        machine.restart([replace(one) for one in self.running])
        return machine


@dataclass
class Album:
    """A snapshot at every fail point of these that is reached, in order, from any thread."""

    machine: FakeMachine
    folder: Path
    of: Collection[FailPoint] = tuple(FailPoint)
    taken: list[Snapshot] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def take(self, point: FailPoint) -> None:
        if point not in self.of:
            return
        with self._lock:
            place = self.folder / f"{len(self.taken):03}-{point}"
            self.taken.append(Snapshot.of(self.machine, point, place))

    @property
    def points(self) -> set[FailPoint]:
        return {one.point for one in self.taken}

    def times(self, point: FailPoint) -> int:
        return len([one for one in self.taken if one.point is point])


@contextmanager
def taking_snapshots(
    machine: FakeMachine, folder: Path, of: Collection[FailPoint] = tuple(FailPoint)
) -> Iterator[Album]:
    album = Album(machine, folder, of)
    with telling(album.take):
        yield album

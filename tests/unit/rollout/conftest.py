"""One model on a fake machine, with three releases in its store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.rollout.model import ModelRollout
from services.rollout.state import ModelFiles
from tests.support.ports import free_port
from tests.support.rollout_fakes import MODEL, FakeMachine, FullDisk, three_releases


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    """Of promotions 1, 2 and 3."""
    return three_releases(store)


@pytest.fixture
def machine(tmp_path: Path, store: Path) -> Iterator[FakeMachine]:
    machine = FakeMachine(tmp_path, store, free_port())
    yield machine
    machine.close()


@pytest.fixture
def model(machine: FakeMachine) -> ModelRollout:
    return ModelRollout(MODEL, machine.dependencies())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    disk, write = FullDisk(), ModelFiles._write

    def write_unless_full(files: ModelFiles, line: bytes) -> None:
        disk.take(line)
        write(files, line)

    monkeypatch.setattr(ModelFiles, "_write", write_unless_full)
    return disk

"""Which of a release's workers a process is, and how it reaches the others."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.contract.control_protocol import private_socket

WORKER, WORKERS, SOCKETS = "TRACKBACK_WORKER", "TRACKBACK_WORKERS", "TRACKBACK_WORKER_SOCKETS"


@dataclass(frozen=True)
class Place:
    """Number `number`, from 0, of `count`. `control` is the path that the names of their private sockets begin with."""

    number: int = 0
    count: int = 1
    control: Path | None = None

    @property
    def private_socket(self) -> Path | None:
        """Where this worker alone answers, by HTTP, to whoever may open the file."""
        return private_socket(self.control, self.number) if self.control else None

    @property
    def siblings(self) -> tuple[Path, ...]:
        """The private sockets of the others; one that is just being replaced does not answer."""
        if not self.control:
            return ()
        return tuple(private_socket(self.control, number) for number in range(self.count) if number != self.number)

    def variables(self) -> dict[str, str]:
        """For the environment of the worker, where what knows no more than that finds its place."""
        control = {SOCKETS: str(self.control)} if self.control else {}
        return {WORKER: str(self.number), WORKERS: str(self.count), **control}

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Self:
        control = environment.get(SOCKETS)
        number, count = (int(environment.get(name, default)) for name, default in ((WORKER, "0"), (WORKERS, "1")))
        return cls(number, count, Path(control) if control else None)

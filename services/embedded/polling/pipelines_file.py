"""Follows the file of the pipelines: what is written into it is in force at the next look, without a restart."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from services.contract.errors import Refused
from services.embedded.clock import Clock
from services.embedded.pipelines.pipeline_set import FILE
from services.embedded.pipelines.pipelines import Pipelines, load_pipelines
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.health import Health
from services.embedded.polling.rounds import Rounds

NEVER_READ = ""


class PipelinesFile(Rounds):
    """`take_over` makes the pipelines current, and raises Refused when they clash with others.

    A wrong file is an operator's trouble, and what was good before stays in force.
    """

    def __init__(
        self,
        path: Path,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        take_over: Callable[[str, Pipelines | None], None],
    ) -> None:
        super().__init__("pipelines-file", clock, rhythm, automatic=True)
        self._path, self._health, self._take_over = path, health, take_over
        # The first look reads it again, because it may have changed since the server did.
        self._known: str | None = NEVER_READ

    def poll(self) -> bool:
        """True, because a file that is wrong now may be right at the next look."""
        if (found := _digest(self._path)) == self._known:
            return True
        subject = f"pipelines-file {self._path}"
        try:
            self._take_over(FILE, load_pipelines(self._path))
        except Refused as refused:
            message = f"Reading the pipelines failed: {self._path}\nThose that were read before stay in force."
            self._health.error(subject, message, str(refused))
        else:
            self._health.well(subject)
        self._known = found
        return True


def _digest(path: Path) -> str | None:
    """None when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None

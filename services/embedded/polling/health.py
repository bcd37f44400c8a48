"""Server health messages: what an operator must know now, gone once it is well again. Not kept across restarts."""

import threading
from dataclasses import dataclass

from services.embedded.clock import Clock, iso_seconds


@dataclass(frozen=True)
class HealthMessage:
    message: str
    detail: str
    level: str
    time: str


class Health:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._messages: dict[str, HealthMessage] = {}

    def error(self, subject: str, message: str, detail: str) -> None:
        """Replaces what was said of `subject`."""
        with self._lock:
            self._messages[subject] = HealthMessage(message, detail, "ERROR", iso_seconds(self._clock.now()))

    def well(self, subject: str) -> None:
        with self._lock:
            self._messages.pop(subject, None)

    def messages(self, subject: str | None = None) -> list[HealthMessage]:
        with self._lock:
            return [message for key, message in self._messages.items() if subject in (None, key)]

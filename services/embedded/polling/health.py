"""Server health messages: one a subject, until it is cleared. A restart forgets them."""

import threading
from dataclasses import dataclass

from services.embedded.clock import Clock, iso_seconds


@dataclass(frozen=True)
class HealthMessage:
    """`time` is `YYYY-MM-DDThh:mm:ssZ`."""

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
        """Replaces an earlier message of the subject."""
        with self._lock:
            self._messages[subject] = HealthMessage(message, detail, "ERROR", iso_seconds(self._clock.now()))

    def clear(self, subject: str) -> None:
        with self._lock:
            self._messages.pop(subject, None)

    def messages(self, subject: str | None = None) -> list[HealthMessage]:
        """Of one subject, or of all."""
        with self._lock:
            return [message for key, message in self._messages.items() if subject in (None, key)]

"""A job's console log in GoCD's format: `<two characters of tag>|<local time> <text>`."""

import re
import threading
from collections.abc import Iterable
from pathlib import Path

from services.embedded.clock import Clock

NOTICE, PREPARE, TASK_START, OUT, ERR = "##", "pr", "!!", "&1", "&2"
TASK_PASS, TASK_FAIL, TASK_CANCELLED, JOB_PASS, JOB_FAIL = "?0", "?1", "^C", "j0", "j1"
PUBLISH, PUBLISH_ERR, COMPLETED = "ar", "ae", "ex"
MASK = "******"

# A console log is read in terminals, where control characters are commands.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Console:
    """Appends, so that the log of a job that runs again after a crash goes on."""

    def __init__(self, path: Path, clock: Clock, secrets: Iterable[str] = ()) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._clock = clock
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._lock = threading.Lock()
        self._last_line = clock.monotonic()

    def line(self, tag: str, text: str) -> None:
        """Secrets are masked; further lines of `text` carry no prefix."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _CONTROL.sub("", text)
        with self._lock:
            if self._file.closed:
                return  # a process that outlives its job may still print
            moment = self._clock.now().astimezone()
            stamp = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"
            self._file.write(f"{tag}|{stamp} {text}\n".encode(errors="replace"))
            self._last_line = self._clock.monotonic()

    def go(self, tag: str, text: str) -> None:
        """A line of the agent itself, marked `[go]`."""
        self.line(tag, f"[go] {text}")

    @property
    def idle_seconds(self) -> float:
        return self._clock.monotonic() - self._last_line

    def close(self) -> None:
        with self._lock:
            self._file.close()

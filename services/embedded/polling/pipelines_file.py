"""Polls the file of the pipelines: a change of it is in force at the next poll, without a restart."""

import hashlib
from pathlib import Path

from services.contract.errors import Refused
from services.embedded.pipelines.gocd_yaml import load_pipelines
from services.embedded.pipelines.pipeline_set import FILE
from services.embedded.polling.dependencies import PipelinePolling
from services.embedded.polling.poll_loop import PollLoop

NEVER_READ = ""


class PipelinesFile(PollLoop):
    """A wrong file is a server health message, and the pipelines that were read before stay in force."""

    def __init__(self, path: Path, polling: PipelinePolling) -> None:
        super().__init__("pipelines-file", polling.clock, polling.intervals, automatic=True)
        self._path, self._polling = path, polling
        # The first poll reads it again, because it may have changed since the server read it.
        self._known: str | None = NEVER_READ

    def poll(self) -> bool:
        """Always True: a wrong file is no reason to poll less often."""
        if (found := _digest(self._path)) == self._known:
            return True
        subject = f"pipelines-file {self._path}"
        try:
            self._polling.replace_pipelines(FILE, load_pipelines(self._path))
        except Refused as refused:
            message = f"Reading the pipelines failed: {self._path}\nThose that were read before stay in force."
            self._polling.health.error(subject, message, str(refused))
        else:
            self._polling.health.clear(subject)
        self._known = found
        return True


def _digest(path: Path) -> str | None:
    """SHA-256 of the content in hexadecimal; None when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None

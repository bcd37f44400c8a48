"""The listening sockets: one for each model, on a port that never changes, held here so that clients can wait."""

import logging
import socket
from pathlib import Path
from threading import Lock

from services.contract.errors import Refused
from services.rollout.state import ModelFiles, known_models

BACKLOG = 2048
LAST_PORT = 65535
log = logging.getLogger(__name__)


class Listeners:
    def __init__(self, host: str, first_port: int, state: Path) -> None:
        self._host = host
        self._first_port = first_port
        self._state = state
        self._lock = Lock()

    def url(self, port: int) -> str:
        return f"http://{self._host}:{port}"

    def open(self, model: str) -> socket.socket:
        """Listens on the model's port, after assigning one if it has none. Raises Refused when it is taken."""
        files = ModelFiles(self._state, model)
        with self._lock:
            if port := files.port():
                return self._listen(model, port)
            return self._assign(model, files)

    def _assign(self, model: str, files: ModelFiles) -> socket.socket:
        assigned = {ModelFiles(self._state, other).port() for other in known_models(self._state)}
        for port in range(self._first_port, LAST_PORT + 1):
            if port in assigned:
                continue
            try:
                listener = self._listen(model, port)
            except Refused as error:
                log.warning("%s: trying the next port", error)
                continue
            files.assign(port)
            return listener
        raise Refused(f"expected a free port from {self._first_port} on for {model}, found none")

    def _listen(self, model: str, port: int) -> socket.socket:
        try:
            return socket.create_server((self._host, port), backlog=BACKLOG)
        except OSError as error:
            raise Refused(f"expected port {port} to be free for {model}: {error.strerror}: end what uses it") from error

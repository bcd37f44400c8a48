"""The listening sockets, one a model on a port that stays; open here, so that clients wait between two processes."""

import logging
import socket
from pathlib import Path
from threading import Lock

from services.contract.errors import Refused
from services.rollout.state import Address, ModelFiles, known_models

BACKLOG = 2048
LAST_PORT = 65535
log = logging.getLogger(__name__)


class Listeners:
    def __init__(self, host: str, first_port: int, state: Path) -> None:
        self._host = host
        self._first_port = first_port
        self._state = state
        self._lock = Lock()
        self._closed = False
        self._open_sockets: dict[str, socket.socket] = {}

    def url(self, model: str) -> str | None:
        port = ModelFiles(self._state, model).address().port
        return f"http://{self._host}:{port}" if port else None

    def adopt(self, model: str, listener: socket.socket) -> None:
        """Keeps a socket that a serving process listens on already; a second one of a model is closed."""
        with self._lock:
            if model in self._open_sockets:
                listener.close()
            else:
                self._open_sockets[model] = listener

    def listen(self, model: str) -> socket.socket:
        """Listens on the model's port, after assigning one if it has none. Raises Refused when it is taken."""
        with self._lock:
            if self._closed:
                raise Refused("the rollout service is stopping: ask again when it is back")
            if model not in self._open_sockets:
                self._open_sockets[model] = self._open(model)
            return self._open_sockets[model]

    def drop(self, model: str) -> None:
        """Listens no more: clients are refused at once."""
        with self._lock:
            if listener := self._open_sockets.pop(model, None):
                listener.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for listener in self._open_sockets.values():
                listener.close()
            self._open_sockets.clear()

    def _open(self, model: str) -> socket.socket:
        files = ModelFiles(self._state, model)
        if port := files.address().port:
            return self._listen(model, port)
        return self._assign(model, files)

    def _assign(self, model: str, files: ModelFiles) -> socket.socket:
        assigned = {ModelFiles(self._state, other).address().port for other in known_models(self._state)}
        for port in range(self._first_port, LAST_PORT + 1):
            if port in assigned:
                continue
            try:
                listener = self._listen(model, port)
            except Refused as error:
                log.warning("%s: trying the next port", error)
                continue
            files.assign(Address(port=port))
            return listener
        raise Refused(f"expected a free port from {self._first_port} on for {model}, found none")

    def _listen(self, model: str, port: int) -> socket.socket:
        try:
            return socket.create_server((self._host, port), backlog=BACKLOG)
        except OSError as error:
            raise Refused(f"expected port {port} to be free for {model}: {error.strerror}: end what uses it") from error

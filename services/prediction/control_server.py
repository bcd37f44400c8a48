"""Takes commands on the control socket: one a connection, a line of JSON each way, with a socket as a descriptor."""

import contextlib
import selectors
import socket
from pathlib import Path

from pydantic import ValidationError

from services.contract.control_protocol import Command, Reply
from services.contract.errors import Refused
from services.contract.record import first_problem
from services.prediction.workers.group import Group

# One that names the sockets of all workers of a candidate.
MAX_COMMAND_BYTES = 4096


class ControlServer:
    """Of a group, in whose turns it is served."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def open(self, path: Path) -> None:
        """The socket appears only after the release was loaded and every worker has proved itself."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(path))
        listening.listen()
        listening.setblocking(False)
        self._group.selector.register(listening, selectors.EVENT_READ, lambda: self._accept(listening))

    def _accept(self, listening: socket.socket) -> None:
        # Whoever asked may have gone again.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = listening.accept()
            connection.setblocking(False)
            self._group.selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        self._group.selector.unregister(connection)
        passed: socket.socket | None = None
        try:
            message, descriptors, _, _ = socket.recv_fds(connection, MAX_COMMAND_BYTES, 1)
            passed = socket.socket(fileno=descriptors[0]) if descriptors else None
            command = Command.model_validate_json(message)
            self._group.command(command, passed, lambda reply, lent: _answer(connection, reply, lent))
        except OSError:
            connection.close()
        except ValidationError as error:
            _answer(connection, Reply(error=f"expected a command, found {first_problem(error)}"), None)
        except Refused as error:
            _answer(connection, Reply(error=str(error)), None)


def _answer(connection: socket.socket, reply: Reply, lent: socket.socket | None) -> None:
    # Whoever asked may have gone.
    with connection, contextlib.suppress(OSError):
        socket.send_fds(connection, [reply.model_dump_json().encode()], [lent.fileno()] if lent else [])

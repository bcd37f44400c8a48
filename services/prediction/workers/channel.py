"""Messages between a worker and its parent: one record of the control protocol each, a socket beside it."""

import socket
from typing import Self

from services.contract.control_protocol import Command, Reply

MAX_MESSAGE_BYTES = 4096


class Channel:
    """One end; the other one's end, however it comes, is an empty message."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), cls(theirs)

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: Command | Reply, passed: socket.socket | None = None) -> None:
        """Raises OSError when the other end is closed, or reads nothing any more."""
        socket.send_fds(self._end, [message.model_dump_json().encode()], [passed.fileno()] if passed else [])

    def receive(self) -> tuple[bytes, socket.socket | None]:
        """Raises BlockingIOError when there is none yet."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._end, MAX_MESSAGE_BYTES, 1)
        except ConnectionError:
            return b"", None
        return message, socket.socket(fileno=descriptors[0]) if descriptors else None

    def close(self) -> None:
        self._end.close()

"""A proxy on 127.0.0.1 in front of an HTTP server that counts requests and every byte of the answers."""

import re
import socket
import socketserver
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_LENGTH = re.compile(rb"^content-length: *([0-9]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Traffic:
    """Requests sent, and bytes received for them, headers included."""

    requests: int = 0
    received: int = 0

    def __add__(self, other: Self) -> "Traffic":
        return Traffic(self.requests + other.requests, self.received + other.received)

    def __sub__(self, other: Self) -> "Traffic":
        return Traffic(self.requests - other.requests, self.received - other.received)


class CountingProxy(socketserver.ThreadingTCPServer):
    """Listens inside of `with`. When a client has its whole answer, all of its bytes are in `traffic`."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        """`port` is that of the server behind the proxy."""
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = ("127.0.0.1", port)
        self.traffic = Traffic()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, traffic: Traffic) -> None:
        with self._lock:
            self.traffic += traffic

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="counting-proxy", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    """A client's connection, which stays open for further requests."""

    disable_nagle_algorithm = True
    server: CountingProxy

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as target:
            target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = threading.Thread(target=self._carry_back, args=(target,), daemon=True)
            answers.start()
            with suppress(OSError):
                while request := self._request():
                    self.server.count(Traffic(requests=1))
                    target.sendall(request)
                target.shutdown(socket.SHUT_WR)
            answers.join()

    def _request(self) -> bytes:
        """The bytes of one request, head and body; empty at the end of the connection."""
        head = b""
        while (line := self.rfile.readline()).strip():
            head += line
        return head and b"%s\r\n%s" % (head, self.rfile.read(_length(head)))

    def _carry_back(self, target: socket.socket) -> None:
        with suppress(OSError):
            while answer := target.recv(65536):
                self.server.count(Traffic(received=len(answer)))
                self.connection.sendall(answer)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0

"""A serving process that costs next to nothing: it answers each question with its release's golden predictions.

It takes the place of `python -m services.prediction` in a run that kills the rollout service again and again, so it
imports nothing but the standard library. services/contract/control_protocol.py has its commands, sockets and files.
"""

import json
import selectors
import socket
import sys
import time
from pathlib import Path

BACKLOG, CHUNK = 64, 65536


class Serving:
    """`accepting` is the socket of the model's public address, while it answers there."""

    def __init__(self, release: Path, digest: str, control: str) -> None:
        predictions = json.loads((release / "golden.json").read_text())["predictions"]
        self.digest, self.control = digest, control
        self.body = json.dumps({"predictions": predictions}).encode()
        self.selector = selectors.DefaultSelector()
        self.accepting: socket.socket | None = None
        self.open: dict[socket.socket, bytes] = {}
        self.requests = 0
        self.stop_at: float | None = None

    def run(self) -> None:
        self._accept_on(_listen(f"{self.control}.0.http"), public=False)
        commands = _listen(self.control)
        self.selector.register(commands, selectors.EVENT_READ, lambda: self._command(commands.accept()[0]))
        while not self.stop_at or (self.open and time.monotonic() < self.stop_at):
            for key, _ in self.selector.select(0.2 if self.stop_at else None):
                key.data()

    def _command(self, asking: socket.socket) -> None:
        with asking:
            message, descriptors, _, _ = socket.recv_fds(asking, CHUNK, 1)
            if not message:
                # Whoever asked was killed before it could say what.
                return
            passed = socket.socket(fileno=descriptors[0]) if descriptors else None
            command = json.loads(message)
            error = self._obey(command, passed)
            status = {"pid": 0, "release": self.digest, "state": self._state(), "connections": len(self.open)}
            reply = json.dumps({"error": error} if error else {"status": status}).encode()
            lent = [self.accepting.fileno()] if self.accepting and command["verb"] == "listener" else []
            socket.send_fds(asking, [reply], lent)

    def _obey(self, command: dict[str, object], passed: socket.socket | None) -> str:
        verb = command["verb"]
        if verb == "go" and self.stop_at:
            return "expected a process that stays, this one is stopping"
        if verb == "go" and passed and not self.accepting:
            self.accepting = passed
            self._accept_on(passed, public=True)
        elif verb in ("drain", "stop") and self.accepting:
            self.selector.unregister(self.accepting)
            self.accepting.close()
            self.accepting = None
        if verb == "stop":
            self.stop_at = time.monotonic() + float(str(command["grace"]))
        if verb == "split":
            handing_on = Path(f"{self.control}.split")
            handing_on.touch() if command["split"] else handing_on.unlink(missing_ok=True)
        return ""

    def _state(self) -> str:
        return "stopping" if self.stop_at else "accepting" if self.accepting else "ready"

    def _accept_on(self, listening: socket.socket, public: bool) -> None:
        listening.setblocking(False)
        self.selector.register(listening, selectors.EVENT_READ, lambda: self._accept(listening, public))

    def _accept(self, listening: socket.socket, public: bool) -> None:
        try:
            connection, _ = listening.accept()
        except OSError:
            # Another process that listens here was faster.
            return
        self.open[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection, public))

    def _read(self, connection: socket.socket, public: bool) -> None:
        try:
            read = connection.recv(CHUNK)
        except OSError:
            read = b""
        self.open[connection] += read
        if not read:
            self._close(connection)
        elif question := self._whole(connection):
            last = public and not self.accepting
            connection.sendall(self._answer(question, last))
            if last:
                self._close(connection)

    def _whole(self, connection: socket.socket) -> bytes:
        """The head of a request that has come with its body, which nobody needs."""
        head, end, rest = self.open[connection].partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not end or len(rest) < sum(lengths):
            return b""
        self.open[connection] = b""
        return head

    def _answer(self, question: bytes, last: bool) -> bytes:
        metrics = question.split(b" ", 2)[1] == b"/metrics"
        self.requests += not metrics
        counted = f'trackback_requests_total{{status="200"}} {self.requests}\n'.encode()
        body = counted if metrics else self.body
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Trackback-Release: {self.digest}\r\n"
        close = "Connection: close\r\n" if last else ""
        return f"{head}{close}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _close(self, connection: socket.socket) -> None:
        self.selector.unregister(connection)
        del self.open[connection]
        connection.close()


def _listen(path: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen(BACKLOG)
    return listening


if __name__ == "__main__":
    words = sys.argv[1:]
    if sys.stdin.readline():
        Serving(Path(words[2]), words[words.index("--digest") + 1], words[words.index("--control") + 1]).run()

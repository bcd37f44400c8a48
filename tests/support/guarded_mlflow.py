"""A relay on 127.0.0.1 in front of MLflow that lets only signed-in clients through, and breaks down on demand."""

import threading
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


class GuardedMlflow(ThreadingHTTPServer):
    """Listens while its block lasts. `credentials` is the one value of the header Authorization that is let through,
    None lets everyone; to a path that begins with `broken`, it answers 500."""

    daemon_threads = True

    def __init__(self, url: str, credentials: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = urlsplit(url).netloc
        self.credentials = credentials
        self.broken = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), name="guarded-mlflow", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GuardedMlflow

    def do_GET(self) -> None:
        self._relay(None)

    def do_POST(self) -> None:
        self._relay(self.rfile.read(int(self.headers["Content-Length"])))

    def _relay(self, body: bytes | None) -> None:
        server = self.server
        if server.credentials not in (None, self.headers["Authorization"]):
            self._answer(401, b"You are not authenticated.")
        elif server.broken and self.path.startswith(f"/api/2.0/mlflow/{server.broken}"):
            self._answer(500, b"broken")
        else:
            self._answer(*self._asked(body))

    def _asked(self, body: bytes | None) -> tuple[int, bytes]:
        mlflow = HTTPConnection(self.server.target, timeout=30)
        try:
            mlflow.request(self.command, self.path, body, {"Content-Type": "application/json"})
            answer = mlflow.getresponse()
            return answer.status, answer.read()
        finally:
            mlflow.close()

    def _answer(self, status: int, body: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

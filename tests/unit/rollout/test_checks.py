"""The rollout asks a candidate itself and compares its answers with the golden ones."""

import json
import socket
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.prediction import number_of
from services.rollout.checks import confirm, replay_golden
from services.rollout.processes.unix_socket import short_path, unix_socket_client
from services.rollout.release_store import ReleaseStore, StoredRelease
from tests.support.ports import free_port
from tests.support.release_factory import build_release

HANGS_UP = 0


class FakeCandidate(socketserver.UnixStreamServer):
    """Answers every question with the same status, identity and predictions."""

    def __init__(self, path: Path, status: int, release: str, predictions: list[Any]) -> None:
        with short_path(path) as short:
            super().__init__(short, FakeAnswer)
        self.status, self.release, self.predictions = status, release, predictions


class FakeAnswer(BaseHTTPRequestHandler):
    server: FakeCandidate

    def do_POST(self) -> None:
        body = json.dumps({"predictions": self.server.predictions}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == HANGS_UP:
            return
        self.send_response(self.server.status)
        self.send_header("X-Trackback-Release", self.server.release)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "a unix socket has no address"

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> StoredRelease:
    store = tmp_path_factory.mktemp("store")
    return ReleaseStore(store).find("diamond-price", build_release(store).digest)


def replay(path: Path, release: StoredRelease, status: int, identity: str, shift: float) -> None:
    predictions = [number_of(answer) + shift for answer in release.golden.predictions]
    with FakeCandidate(path, status, identity, predictions) as candidate:
        thread = Thread(target=candidate.serve_forever, args=(0.01,))
        thread.start()
        try:
            replay_golden(unix_socket_client(path), release)
        finally:
            candidate.shutdown()
            thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "http"


def test_golden_answers_under_the_right_identity_are_accepted(path: Path, release: StoredRelease) -> None:
    replay(path, release, 200, release.digest, 0.0)


def test_the_path_to_a_candidate_may_be_longer_than_the_address_of_a_socket(
    tmp_path: Path, release: StoredRelease
) -> None:
    path = tmp_path / ("a" * 60) / ("b" * 60) / "http"
    path.parent.mkdir(parents=True)
    replay(path, release, 200, release.digest, 0.0)


def test_other_answers_are_refused_with_the_row(path: Path, release: StoredRelease) -> None:
    with pytest.raises(Refused, match="golden row 0: expected .*, found .*: not the model that was trained"):
        replay(path, release, 200, release.digest, 0.01)


def test_another_identity_is_refused(path: Path, release: StoredRelease) -> None:
    with pytest.raises(Refused, match=f"expected answers of release {release.digest[:12]}…, found somebody else"):
        replay(path, release, 200, "somebody else", 0.0)


def test_an_error_is_refused_with_its_status(path: Path, release: StoredRelease) -> None:
    with pytest.raises(Refused, match="expected 200 for golden rows, found 500"):
        replay(path, release, 500, release.digest, 0.0)


def test_a_candidate_that_ends_while_it_is_asked_is_refused(path: Path, release: StoredRelease) -> None:
    with pytest.raises(Refused, match="to answer its golden rows, found RemoteProtocolError"):
        replay(path, release, HANGS_UP, release.digest, 0.0)


def test_a_candidate_that_says_nothing_is_not_blamed_for_a_busy_machine(path: Path, release: StoredRelease) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(Refused, match="the machine is busy with others, or it hangs: deploy it again"):
            replay_golden(unix_socket_client(path, seconds=0.1), release)


def test_an_address_where_nobody_answers_is_not_confirmed() -> None:
    with pytest.raises(Refused, match="to answer as release 000000000000… within 0.1 s, found no answer"):
        confirm(f"http://127.0.0.1:{free_port()}", "0" * 64, seconds=0.1)

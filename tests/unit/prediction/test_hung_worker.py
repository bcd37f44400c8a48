"""A model that never answers: its worker is replaced, and neither the others nor a slow model are taken for it."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from services.contract.open_release import open_release
from services.contract.prediction import Prediction
from services.contract.record import Cell
from services.contract.release import Golden, ServingLimits
from services.prediction.observed.observer import OFF
from services.prediction.predictor import Predictor
from services.prediction.workers import watchdog
from services.prediction.workers.group import Group
from services.prediction.workers.pulse import Page
from services.prediction.workers.worker_process import work
from tests.support.release_factory import ROWS, SKLEARN, ReleasePlan, build_release

pytestmark = pytest.mark.process
SLOW_ROW_SECONDS = 0.002
MANY = 500
HANGS = (99.0, "Ideal", 1)


class Moody:
    """A model whose rows take their time, and one of them for ever."""

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        while rows[0][0] == HANGS[0]:
            pass
        for _ in rows:
            time.sleep(SLOW_ROW_SECONDS)
        return [1.0 for _ in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:  # noqa: ARG002
        return self.predict(rows)


def moody(folder: Path, digest: str) -> tuple[Predictor, Golden]:
    # No real one: libraries of this process may have threads, which a fork would wait for.
    release, golden = open_release(folder, digest)
    known = golden.model_copy(update={"predictions": (1.0,) * len(golden.rows)})
    return Predictor(release, SKLEARN, Moody()), known


class Answering:
    def __init__(self, group: Group, page: Page, port: int) -> None:
        self.group, self._page, self._port = group, page, port
        self._pool = ThreadPoolExecutor(4)

    def ask(self, rows: Sequence[Sequence[Cell]]) -> "Future[int | str]":
        return self._pool.submit(self._asked, rows)

    def turn_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.group._turn()  # noqa: SLF001  what `run` does until a stop

    def hang(self) -> "Future[int | str]":
        """Returns once a worker has begun with what it never ends."""
        hung = self.ask([HANGS])
        self.turn_until(lambda: any(self._page.pulse(number).rows for number in range(self._page.workers)))
        return hung

    def answer(self, rows: Sequence[Sequence[Cell]]) -> int | str:
        asked = self.ask(rows)
        self.turn_until(asked.done)
        return asked.result()

    def close(self) -> None:
        self.group.stop(0.0)
        self.group.run()
        self._pool.shutdown()

    def _asked(self, rows: Sequence[Sequence[Cell]]) -> int | str:
        """The status, or how the connection ended."""
        connection = HTTPConnection("127.0.0.1", self._port)
        try:
            body = json.dumps({"instances": rows})
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()


@contextmanager
def answering(store: Path, workers: int) -> Iterator[Answering]:
    release = build_release(store, ReleasePlan(limits=ServingLimits(replicas=1, max_rows=MANY, max_bytes=100_000)))
    loaded = moody(store / "releases" / release.digest, release.digest)
    page = Page(workers)
    group = Group(release.digest, partial(work, lambda: loaded, ("127.0.0.1",), OFF, page), page)
    listening = socket.create_server(("127.0.0.1", 0))
    answering = Answering(group, page, listening.getsockname()[1])
    try:
        group.start()
        group.go(listening)
        yield answering
    finally:
        answering.close()


def test_the_worker_of_an_endless_predict_is_replaced_while_the_other_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "HANG_SECONDS", 0.3)
    with answering(tmp_path, workers=2) as served:
        hung = served.hang()
        # Connections wait 2 ms for the worker with fewer of them, which is the one that hangs, and no longer.
        while not served.group.workers().ended:
            assert served.answer(ROWS) == 200
        served.turn_until(hung.done)
        assert hung.result() in ("RemoteDisconnected", "ConnectionResetError")
        served.turn_until(lambda: served.group.workers().ready == 2)
        assert "hung" in served.group.workers().reason


def test_one_worker_is_replaced_as_well_and_clients_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "HANG_SECONDS", 0.3)
    with answering(tmp_path, workers=1) as served:
        hung = served.hang()
        served.turn_until(lambda: served.group.workers().ended)
        assert served.answer(ROWS) == 200
        served.turn_until(hung.done)


def test_a_slow_predict_of_many_rows_is_not_taken_for_a_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(tmp_path, workers=1) as served:
        # Less than the rows take.
        monkeypatch.setattr(watchdog, "HANG_SECONDS", 0.1)
        assert served.answer(ROWS[:1] * MANY) == 200
        assert served.group.workers().ended == 0

"""Clients that play rows against a model all the time, and know which release answered last and when."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from threading import Thread
from typing import Self

from benchmarks.load_client import Load, Question, Way

CLIENTS = [Way(pause=0.02)] * 8 + [Way(keeps=False, pause=0.1)] * 2


class Rows(Question):
    """A question of another row each time."""

    def __init__(self, url: str, bodies: Sequence[bytes]) -> None:
        questions = [Question.post(url, body) for body in bodies]
        first = questions[0]
        for name in ("host", "port", "header"):
            object.__setattr__(self, name, getattr(first, name))
        object.__setattr__(self, "_requests", cycle([one.request for one in questions]))

    @property
    def request(self) -> bytes:
        found: bytes = next(self.__dict__["_requests"])
        return found


class Dated(Counter[str]):
    """`last` is when each was counted last, in seconds since 1970."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, float] = {}

    def __setitem__(self, answerer: str, count: int) -> None:
        self.last[answerer] = time.time()
        super().__setitem__(answerer, count)


class Played:
    """A context manager; the clients are in a thread of their own."""

    def __init__(self, url: str, bodies: Sequence[bytes]) -> None:
        self._loop = asyncio.new_event_loop()
        self._load = Load(Rows(url, bodies))
        self.answers = self._load.heard.answers = Dated()
        self._thread = Thread(target=self._run)

    @property
    def failures(self) -> list[str]:
        return self._load.heard.failures

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._load.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._load.run(CLIENTS))

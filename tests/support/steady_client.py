"""Clients in a thread of their own that keep asking while a test does something to the service."""

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Self

import uvloop

from benchmarks.load_client import Load, Question, Way
from benchmarks.switch_timeline import Timeline
from services.contract import names
from tests.support.poll import poll_until

# Six that pause so long take a fifth of a core, on both sides, from what is tested.
PAUSE = 0.03
IDLE, BUSY = Way(pause=5.0), Way()


class SteadyClient:
    """Asks `url` all the time; what counts as an answer and as a failure is said in benchmarks/load_client.py.

    `answers` counts the answers by what they say in `header`. `kept` clients keep their connections, `fresh` ones ask
    each time over a new one, both with `pause` seconds between, `idle` ones keep theirs and rarely ask, `busy` ones ask
    again at once. What `timeline` does not allow is in its `stale`. `cpu` are the seconds of a core that asking took,
    known at the end.
    """

    def __init__(
        self,
        url: str,
        question: bytes,
        header: str = names.RELEASE_HEADER,
        kept: int = 4,
        fresh: int = 2,
        idle: int = 0,
        busy: int = 0,
        pause: float = PAUSE,
        timeline: Timeline | None = None,
    ) -> None:
        self._question = Question.post(f"{url}/invocations", question, header)
        steady = [Way(pause=pause)] * kept + [Way(keeps=False, pause=pause)] * fresh
        self._ways = steady + [IDLE] * idle + [BUSY] * busy
        self._loop = uvloop.new_event_loop()
        self._load = Load(self._question, judge=timeline.judge if timeline else None)
        self.cpu = 0.0
        self._thread = Thread(target=self._run)

    @property
    def answers(self) -> Counter[str]:
        return self._load.heard.answers

    @property
    def failures(self) -> list[str]:
        return self._load.heard.failures

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._load.stop)
        self._thread.join()

    @contextmanager
    def timed(self, seconds: "array[float]") -> Iterator[None]:
        """What is answered meanwhile is noted in `seconds`."""
        heard = self._load.heard
        before, heard.seconds = heard.seconds, seconds
        try:
            yield
        finally:
            heard.seconds = before

    @property
    def seconds(self) -> "array[float]":
        """Of each answer in no `timed`."""
        return self._load.heard.seconds

    def heard(self, answerer: str, more: int = 50) -> None:
        """Waits until `answerer` has answered `more` times from now on."""
        goal = self.answers[answerer] + more
        poll_until(lambda: self.answers[answerer] >= goal, f"{more} answers of {answerer[:8]}", pause=0.02)

    def heard_any(self) -> None:
        """Waits until there are answers of each client's number."""
        poll_until(lambda: self.answers.total() > len(self._ways), "the first answers", pause=0.02)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._load.run(self._ways))
        self.cpu = time.thread_time()

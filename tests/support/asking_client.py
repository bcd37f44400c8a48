"""A client that keeps asking: over connections that stay open and over new ones, counting what fails."""

import threading
from collections import Counter
from types import TracebackType
from typing import Self

import httpx

from services.contract import names
from tests.support.poll import poll_until
from tests.support.traveller import Traveller

THREADS = 4


class KeepsAsking:
    """A request fails on anything but 200, and is not asked again. `answers` counts the revisions that answered."""

    def __init__(self, traveller: Traveller) -> None:
        self._url, self._question = traveller.invocations_url(), traveller.question
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n % 2 == 0,)) for n in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        poll_until(lambda: sum(self.answers.values()) > THREADS, "the first answers")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, keep_alive: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=None if keep_alive else 0)
        with httpx.Client(limits=limits, timeout=30) as http:
            while not self._stop.wait(0.01):
                self._ask(http)

    def _ask(self, http: httpx.Client) -> None:
        try:
            answer = http.post(self._url, json=self._question)
            problem = None if answer.status_code == 200 else f"{answer.status_code}: {answer.text[:200]}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        with self._lock:
            if problem:
                self.failures.append(problem)
            else:
                self.answers[answer.headers[names.REVISION_HEADER]] += 1

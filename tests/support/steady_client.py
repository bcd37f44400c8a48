"""A client that keeps asking: over connections that stay open and over new ones, counting what fails."""

from collections import Counter
from http.client import HTTPConnection, HTTPException
from threading import Event, Lock, Thread
from typing import Self
from urllib.parse import urlsplit

from services.contract import names
from tests.support.poll import poll_until

JSON = {"Content-Type": "application/json"}


class SteadyClient:
    """Asks `url` without pause; anything but 200 is a failure, and nothing is asked twice.

    `answers` counts the answers by what they say in `header`. `kept` threads keep their connections, `fresh` ones ask
    each time over a new one.
    """

    def __init__(
        self, url: str, question: bytes, header: str = names.RELEASE_HEADER, kept: int = 4, fresh: int = 2
    ) -> None:
        address = urlsplit(url)
        self._address, self._path = address.netloc, f"{address.path}/invocations"
        self._question, self._header = question, header
        self._stop, self._lock = Event(), Lock()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [Thread(target=way) for way in [self._keep] * kept + [self._renew] * fresh]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def heard(self, answerer: str, more: int = 50) -> None:
        """Waits until `answerer` has answered `more` times from now on."""
        goal = self.answers[answerer] + more
        poll_until(lambda: self.answers[answerer] >= goal, f"{more} answers of {answerer[:8]}", pause=0.02)

    def heard_any(self) -> None:
        """Waits until there are answers of each thread's number."""
        poll_until(lambda: self.answers.total() > len(self._threads), "the first answers", pause=0.02)

    def _keep(self) -> None:
        connection = HTTPConnection(self._address, timeout=60)
        while not self._stop.wait(0.01):
            self._ask(connection)
        connection.close()

    def _renew(self) -> None:
        while not self._stop.wait(0.01):
            connection = HTTPConnection(self._address, timeout=60)
            self._ask(connection)
            connection.close()

    def _ask(self, connection: HTTPConnection) -> None:
        try:
            connection.request("POST", self._path, self._question, JSON)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.status == 200:
                self._count(answer.headers[self._header])
            else:
                self.failures.append(f"status {answer.status}: {text[:200]}")
        except (OSError, HTTPException) as error:
            self.failures.append(f"{type(error).__name__}: {error}")
            connection.close()

    def _count(self, answerer: str) -> None:
        with self._lock:
            self.answers[answerer] += 1

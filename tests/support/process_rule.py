"""A unit test starts no process and leaves no machine, unless it says so with the marker `process`.

So `scripts/test --quick` knows by that marker alone what it can run after every edit.
"""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec"}
# Once an interpreter, in whichever test is the first: joblib counts the cores where a model is fitted, and GitPython
# looks for git where MLflow's client imports it.
BY_THE_WAY = ("lscpu", "git version")
LOOPBACK = ("127.", "::1", "localhost")


class ProcessRule:
    """Hears of each start of a process and each connection in the interpreter, and fails the test that may not."""

    def __init__(self) -> None:
        self._seen: list[str] | None = None
        self._others: set[int] = set()
        # An audit hook stays for as long as the interpreter does.
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._seen is None or threading.get_ident() in self._others:
            return
        # Nothing is written of other events' arguments: an estimator's own name may be such an event again.
        if event in STARTS and not (what := _command(arguments)).startswith(BY_THE_WAY):
            self._seen.append(f"{event} of {what[:100]}")
        elif event == "socket.connect" and _is_beyond(arguments[1]):
            self._seen.append(f"a connection to {arguments[1][0]}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        # What an earlier test has left running is not this one's.
        self._others = {one.ident for one in threading.enumerate() if one.ident} - {threading.get_ident()}
        self._seen = [] if _is_bound(item) else None
        try:
            return (yield)
        finally:
            self._seen = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        yield
        if self._seen:
            pytest.fail(
                f"expected a unit test without the marker 'process' to start none, found {self._seen[0]}:"
                " mark it with @pytest.mark.process, or call in this process",
                pytrace=False,
            )


def _command(arguments: tuple[Any, ...]) -> str:
    """The words where the event has them, else its first argument, such as the command of os.system."""
    words = arguments[1] if len(arguments) > 1 else None
    return " ".join(map(str, words)) if isinstance(words, list | tuple) else str(*arguments[:1])


def _is_bound(item: pytest.Item) -> bool:
    return "unit" in item.path.parts and item.get_closest_marker("process") is None


def _is_beyond(address: object) -> bool:
    """Paths of sockets are strings."""
    return isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK)

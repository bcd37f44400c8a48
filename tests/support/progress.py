"""What runs and how far it is, for runs of minutes: a line for each file that begins or ends."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest


class Progress:
    """`say` is given the lines; `clock` is in seconds."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._left: Counter[str] = Counter()
        self._began: dict[str, float] = {}
        self._failed: Counter[str] = Counter()
        self._files = self._tests = self._done = 0

    def expect(self, nodes: Iterable[str]) -> None:
        self._left = Counter(map(_file, nodes))
        self._files, self._tests = len(self._left), self._left.total()

    def begin(self, node: str) -> None:
        file = _file(node)
        if file not in self._began:
            self._began[file] = self._clock()
            self._say(f"{self._how_far()} {file} begins")

    def fail(self, node: str) -> None:
        self._failed[_file(node)] += 1

    def end(self, node: str) -> None:
        file = _file(node)
        self._left[file] -= 1
        self._done += 1
        if self._left[file] == 0:
            outcome = f"{self._failed[file]} FAILED" if self._failed[file] else "passed"
            self._say(f"{self._how_far()} {file} {outcome} in {self._clock() - self._began[file]:.0f} s")

    def _how_far(self) -> str:
        files = sum(count == 0 for count in self._left.values())
        return f"[{files}/{self._files} files, {self._done}/{self._tests} tests]"


class ProgressPlugin:
    """Tells a Progress what pytest does, whether its tests run here or in workers."""

    def __init__(self, config: pytest.Config) -> None:
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._progress = Progress(lambda text: reporter.write_line(f"{time.strftime('%H:%M:%S')} {text}"))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._progress.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._progress.expect(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._progress.begin(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._progress.fail(report.nodeid)
        if report.when == "teardown":
            self._progress.end(report.nodeid)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No dots between the lines."""
        return ("passed", "", "PASSED") if report.when == "call" and report.passed else None


def _file(node: str) -> str:
    return node.partition("::")[0]

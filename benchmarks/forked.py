"""Servers that are killed are forks of one process that has imported what they need, so that a start is cheap."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import Any

_FORKED = get_context("forkserver")
# One server forks for all that ask in a process, so it has what each of them needs. A child imports the module that
# was started with -m once more, which is cheap when it has what that imports.
_FORKED.set_forkserver_preload(
    ["benchmarks.killed_service", "benchmarks.killed_ci_server", "tests.support.steady_client"]
)


class ForkedServer:
    """Whose process is there from `fork` to its end, which may come by itself."""

    _process: ForkServerProcess | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def fork(self, target: Callable[..., None], *arguments: Any) -> None:
        self._process = _FORKED.Process(target=target, args=arguments)
        self._process.start()

    def has_ended(self) -> bool:
        return self._process is None or not self._process.is_alive()

    def wait_end(self, seconds: float) -> None:
        if self._process:
            wait([self._process.sentinel], seconds)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()

    def terminate(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.join()

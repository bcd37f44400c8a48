"""The platform on one machine: starts, restarts and stops MLflow, the CI server and the rollout service."""

import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import IO, Annotated, NoReturn

import typer

from services.contract.errors import Refused
from services.contract.record import write_atomically
from services.contract.secret_file import write_token
from services.contract.waiting import wait_until
from services.platform.preflight import (
    end_leftovers,
    lock_state,
    refuse_moved_mlflow,
    refuse_taken_ports,
    remember_groups,
)
from services.platform.service_definitions import (
    KEPT_IN,
    ServiceDefinition,
    follow,
    gocd_command,
    missing_image_tools,
    phases,
    token_file,
    token_variables,
    verb_environment,
)
from services.platform.settings import PlatformSettings, read_platform_settings
from services.platform.supervised_process import STOP_SECONDS, SupervisedProcess

READY_SECONDS = 300
_PARTS = ("mlflow", "ci", "rollout", "store", "logs")


class Platform:
    """`start` raises Refused when another platform uses the state, a port is taken or a service does not come up."""

    def __init__(self, settings: PlatformSettings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._state = settings.state.resolve()
        self._running: list[SupervisedProcess] = []
        self._lock: IO[str] | None = None
        self._remembering = threading.Lock()
        self.environment = verb_environment(settings, self._state)

    def start(self, fresh: bool = False) -> None:
        self._lock = lock_state(self._state)
        end_leftovers(self._state, self._say)
        refuse_taken_ports(self._settings)
        for folder in (self._state / part for part in _PARTS):
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
        refuse_moved_mlflow(self._state, self._settings)
        write_token(token_file(self._state))
        for together in phases(self._settings, self._state):
            self._say(f"starting {' and '.join(part.name for part in together)}, logs are in {self._state / 'logs'}")
            for part in together:
                self._keep_alive(part)
            for part in together:
                self._wait_for(part)
        if self._settings.ci:
            self._set_up_gocd()
            self._keep_alive(follow(self._settings))
            self._tell_of_images()
        self._write_verb_environment()

    def stop(self) -> None:
        """Ends every process of the platform, at most STOP_SECONDS later."""
        deadline = time.monotonic() + STOP_SECONDS
        for service in self._running:
            service.ask_to_stop()
        for service in self._running:
            service.stop(deadline)
        if self._lock:
            self._lock.close()

    def _keep_alive(self, part: ServiceDefinition) -> None:
        environment = {**self.environment, **part.variables}
        log = self._state / "logs" / f"{part.name}.log"
        self._running.append(SupervisedProcess(part, environment, log, self._say, self._remember))
        self._running[-1].start()

    def _remember(self) -> None:
        with self._remembering:
            remember_groups(self._state, (group for service in self._running for group in service.groups))

    def _wait_for(self, part: ServiceDefinition) -> None:
        log = self._state / "logs" / f"{part.name}.log"
        what, advice = f"{part.name} to answer at {part.ready}", f"it does not: see {log}"
        wait_until(lambda: _answers(part.ready), what, READY_SECONDS, found=lambda: advice)

    def _set_up_gocd(self) -> None:
        command = [*gocd_command(self._settings, "set-up"), "--mlflow-url", self._settings.urls.mlflow, "--followed"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.strip())

    def _tell_of_images(self) -> None:
        if self._settings.images and (missing := missing_image_tools()):
            packages = f"{len(missing)} of its Debian packages are missing, such as {missing[0]}"
            self._say(f"no machine images are built, whose pipelines wait: {packages}: scripts/setup image")

    def _write_verb_environment(self) -> None:
        names = (*self._settings.urls.environment(), *token_variables(self._settings), *KEPT_IN)
        lines = "".join(f"{name}={self.environment[name]}\n" for name in names)
        path = self._state / "platform.env"
        write_atomically(path, lines.encode())
        # Nothing in it is secret, and whoever mounts the checkout may be another user.
        path.chmod(0o644)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own http URL
            return bool(answer.status == 200)
    except OSError:
        return False


def unwind_on_signals() -> None:
    """SIGTERM raises SystemExit in the main thread, SIGINT KeyboardInterrupt, even if a shell had us ignore them."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main(
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the state of earlier starts first.")] = False,
    no_ci: Annotated[
        bool, typer.Option("--no-ci", help="Without a CI server: GoCD is yours, at TRACKBACK_GOCD_URL.")
    ] = False,
) -> None:
    """Start the platform on 127.0.0.1, print its URLs as JSON when it is ready, stay until Ctrl-C.

    TRACKBACK_STATE, TRACKBACK_MLFLOW_PORT, TRACKBACK_GOCD_PORT, TRACKBACK_ROLLOUT_PORT and TRACKBACK_SERVING_PORT
    move it elsewhere. Example: scripts/platform --fresh
    """
    unwind_on_signals()
    settings = settings_or_exit(no_ci)
    platform = Platform(settings, _say)
    try:
        platform.start(fresh)
        sys.stdout.write(settings.urls.to_json())
        sys.stdout.flush()
        signal.pause()
    except KeyboardInterrupt:
        _say("stopping")
    except (Refused, OSError) as problem:
        _say(str(problem))
        raise typer.Exit(1) from None
    finally:
        platform.stop()


def settings_or_exit(no_ci: bool = False) -> PlatformSettings:
    """Raises typer.Exit(1) for a wrong setting, after one line on stderr."""
    try:
        return read_platform_settings(no_ci)
    except Refused as refused:
        _say(str(refused))
        raise typer.Exit(1) from None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

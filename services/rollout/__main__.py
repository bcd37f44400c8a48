"""Starts the rollout service: one of them for a state folder."""

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from services.contract.errors import Refused
from services.contract.http_guard import Access
from services.contract.lock import lock
from services.contract.secret_file import read_secret
from services.contract.serving_settings import serving_environment
from services.contract.signals import exit_on
from services.rollout.containers.container_backend import ContainerBackend
from services.rollout.fail_points import arm
from services.rollout.notifier import Notifier
from services.rollout.processes.listeners import Listeners
from services.rollout.processes.process_backend import ProcessBackend
from services.rollout.processes.shown import Shown
from services.rollout.release_store import ReleaseStore
from services.rollout.rollout import Rollout
from services.rollout.server import RolloutServer
from services.rollout.serving import Backend
from services.rollout.settings import PREFIX, BackendName, Settings, read_settings
from services.rollout.traffic import Dependencies

# No model can have this name, so its folder stands beside theirs.
RUN_FOLDER = "_run"
EXAMPLE = f"example: {PREFIX}STATE=.trackback/rollout {PREFIX}PORT=8154 python -m services.rollout"


def main(arguments: Sequence[str] | None = None) -> int:
    _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("services").setLevel(logging.INFO)
    try:
        settings = read_settings()
        # Also when the signal comes before or after uvicorn's own handling: an end on request is no failure.
        with exit_on(signal.SIGTERM, signal.SIGINT), _lock(settings.state), _listen(settings) as listener:
            arm(os.environ, settings.state)
            _serve(settings, listener)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    variables = ", ".join(f"{PREFIX}{name.upper()} ({field.default})" for name, field in Settings.model_fields.items())
    return argparse.ArgumentParser(
        prog="python -m services.rollout",
        description=f"Decides which release answers for each model. Settings, with their defaults: {variables}.",
        epilog=EXAMPLE,
    )


def _serve(settings: Settings, listener: socket.socket) -> None:
    token = read_secret(settings.token_file, "the token of the rollout service") if settings.token_file else None
    state = settings.state.absolute()
    absolute = settings.model_copy(
        update={"environments": settings.environments.absolute(), "store": settings.store.absolute()}
    )
    backend = BACKENDS[settings.backend](absolute, state)
    notifier = Notifier.from_environment(os.environ)
    store = ReleaseStore(absolute.store, [Path(one).absolute() for one in settings.more_stores])
    rollout = Rollout(Dependencies(state, store, backend, settings.drain_seconds, notifier))
    try:
        rollout.open()
        RolloutServer(rollout, Access(settings.names, token)).run(sockets=[listener])
    finally:
        rollout.close()


def _processes(settings: Settings, state: Path) -> Backend:
    shown = Shown(state, serving_environment(os.environ))
    return ProcessBackend(settings, state / RUN_FOLDER, Listeners(settings.host, settings.first_port, state), shown)


def _containers(settings: Settings, state: Path) -> Backend:
    containers = ContainerBackend(settings, state, serving_environment(os.environ))
    containers.prepare()
    return containers


BACKENDS: dict[BackendName, Callable[[Settings, Path], Backend]] = {
    BackendName.PROCESSES: _processes,
    BackendName.CONTAINERS: _containers,
}


def _lock(state: Path) -> IO[str]:
    state.mkdir(parents=True, exist_ok=True)
    return lock(state / "lock", "rollout service", f"end that one, or set {PREFIX}STATE to another folder")


def _listen(settings: Settings) -> socket.socket:
    try:
        return socket.create_server((settings.host, settings.port))
    except OSError as error:
        name = f"{settings.host}:{settings.port}"
        raise Refused(f"expected {name} to be free: {error.strerror}: set {PREFIX}PORT to another port") from error


if __name__ == "__main__":
    sys.exit(main())

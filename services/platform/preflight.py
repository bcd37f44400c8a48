"""What is checked before a start: one platform a state folder, no processes of a killed one, free ports."""

import contextlib
import errno
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import psutil

from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.lock import lock
from services.contract.record import write_atomically
from services.platform.settings import ADDRESS, PlatformSettings
from services.platform.supervised_process import STOP_SECONDS


def lock_state(state: Path) -> IO[str]:
    """Held until it is closed or this process ends. Raises Refused, naming who holds it."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        for folder in (state, *(path for path in state.iterdir() if path.is_dir())):
            tempfile.TemporaryFile(dir=folder).close()
        return lock(state / "platform.lock", "platform", "stop it, or set TRACKBACK_STATE to another folder")
    except OSError as error:
        raise Refused(
            f"expected a state folder that I may write into, found {error.filename or state}: {error.strerror}: "
            "give it to this user, or set TRACKBACK_STATE to another folder"
        ) from error


def remember_groups(state: Path, groups: Iterable[int]) -> None:
    """Writes them down for the next start, in case this process is killed before it can end them."""
    write_atomically(state / "groups.json", json.dumps(sorted(groups)).encode())


def end_leftovers(state: Path, say: Callable[[str], None]) -> None:
    """Ends the process groups that a killed supervisor of this state left running, and waits until they are gone."""
    try:
        remembered = set(json.loads((state / "groups.json").read_text()))
    except (OSError, ValueError):
        return
    leftovers = [process for process in psutil.process_iter() if _our_group(process) in remembered]
    if leftovers:
        say(f"ending {len(leftovers)} processes that an earlier start left running")
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=STOP_SECONDS)


def _our_group(process: psutil.Process) -> int | None:
    """The process group, None for a process that does not run from this checkout: group ids are used again."""
    try:
        ours = any(str(ROOT) in word for word in process.cmdline()) or Path(process.cwd()).is_relative_to(ROOT)
        return os.getpgid(process.pid) if ours else None
    except (psutil.Error, ProcessLookupError):
        return None


def refuse_moved_mlflow(state: Path, settings: PlatformSettings) -> None:
    """Raises Refused when this state knows MLflow under another address.

    For GoCD a package repository with another address is a new material, which would promote old runs again.
    """
    known = state / "mlflow" / "address"
    if known.is_file() and (before := known.read_text()) != settings.urls.mlflow:
        raise Refused(
            f"expected MLflow at {before} as before, found {settings.urls.mlflow}: set TRACKBACK_MLFLOW_PORT back, "
            "start anew with --fresh, or set TRACKBACK_STATE to another folder"
        )
    write_atomically(known, settings.urls.mlflow.encode())


def refuse_taken_ports(settings: PlatformSettings) -> None:
    """Raises Refused with the port, the process that holds it, and the variable by which ours is moved."""
    # A model takes the next port when its first one is taken.
    for variable, port in list(settings.ports.items())[:-1]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError as error:
                raise Refused(_not_free(error, variable, port)) from None


def _not_free(error: OSError, variable: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"expected port {port} to be free, found it taken{_holder(port)}: "
            f"stop that, or set {variable} to another port"
        )
    return f"expected port {port} to be ours, found: {error.strerror}: set {variable} to another port"


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass  # only some systems tell everybody
    return ""

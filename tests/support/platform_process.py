"""The embedded platform as a test starts it: by its script, in a folder and on ports of its own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from services.platform.settings import Urls
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE
from tests.support.ports import free_ports


@dataclass(frozen=True)
class RunningPlatform:
    """The platform's process, its state folder, its URLs and the variables that lead `trackback` to it."""

    process: "subprocess.Popen[str]"
    state: Path
    urls: Urls
    environment: dict[str, str]


def platform_variables(state: Path, images: bool = False) -> dict[str, str]:
    """Without machine images, whose boots keep both cores busy; with them, they take their full share of these."""
    names = ("MLFLOW", "GOCD", "ROLLOUT", "SERVING")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    batch = {"TRACKBACK_IMAGES": str(images), "TRACKBACK_IMAGE_NICENESS": "0"}
    return {
        "TRACKBACK_STATE": str(state),
        **batch,
        **{f"TRACKBACK_{name}_PORT": str(port) for name, port in ports.items()},
    }


@contextmanager
def running_platform(
    state: Path, variables: dict[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[RunningPlatform]:
    """Up inside of the block; afterwards nothing of it is left, or the test fails."""
    variables = variables or platform_variables(state)
    environment = {**os.environ, **variables}
    with (state.parent / f"{state.name}.err").open("ab") as errors:
        process = subprocess.Popen(
            [ROOT / "scripts" / "platform", *options], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        urls = Urls.from_json(_first_json(process, state))
        verbs = {**environment, **urls.environment(), "TRACKBACK_STORE": str(state / "store")}
        yield RunningPlatform(process, state, urls, verbs)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        assert process.stdout
        process.stdout.close()


def processes_of(state: Path) -> list[psutil.Process]:
    """Living processes whose command line names the state folder."""
    return [process for process in psutil.process_iter() if says(process, str(state))]


def says(process: psutil.Process, text: str) -> bool:
    """Whether a living process has the text in its command line."""
    with suppress(psutil.Error):
        return any(text in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    return False


def family(pid: int) -> list[psutil.Process]:
    """All that a process has started and that still belongs to it."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _first_json(process: "subprocess.Popen[str]", state: Path) -> str:
    """The platform prints its URLs when it is ready, and ends with a reason on stderr when it is not."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            return "".join(lines)
    raise AssertionError(f"the platform did not start: {(state.parent / f'{state.name}.err').read_text()[-2000:]}")

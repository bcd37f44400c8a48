"""The platform as a stranger starts and stops it: a taken port, a second start, Ctrl-C in the middle, the demo."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.platform_process import family, platform_variables, processes_of
from tests.support.poll import PATIENCE, poll_until


@contextmanager
def started(script: str, state: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, **platform_variables(state)}
    with log.open("wb") as output:
        process = subprocess.Popen([ROOT / "scripts" / script], env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run_platform(variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """To its end, which comes at once when it is refused."""
    environment = {**os.environ, **variables}
    command = [ROOT / "scripts" / "platform"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def is_starting(process: "subprocess.Popen[bytes]", log: Path) -> bool:  # noqa: ARG001  one of several moments
    return b"starting mlflow" in log.read_bytes()


def runs_java(process: "subprocess.Popen[bytes]", log: Path) -> bool:  # noqa: ARG001  one of several moments
    with suppress(psutil.NoSuchProcess):
        return any(child.name() == "java" for child in family(process.pid))
    return False


def is_ready(process: "subprocess.Popen[bytes]", log: Path) -> bool:  # noqa: ARG001  one of several moments
    return b'"rollout": ' in log.read_bytes()


@pytest.mark.parametrize(
    ("moment", "stop"),
    [
        (is_starting, signal.SIGINT),
        pytest.param(is_starting, signal.SIGTERM, marks=pytest.mark.nightly),
        pytest.param(runs_java, signal.SIGINT, marks=pytest.mark.nightly),
        (runs_java, signal.SIGTERM),
        (is_ready, signal.SIGINT),
        pytest.param(is_ready, signal.SIGTERM, marks=pytest.mark.nightly),
    ],
)
def test_a_stop_at_any_moment_leaves_no_process_behind(
    tmp_path: Path, moment: Callable[..., bool], stop: signal.Signals
) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    with started("platform", state, log) as process:
        poll_until(lambda: moment(process, log), moment.__name__, pause=0.02)
        members = family(process.pid)
        process.send_signal(stop)
        process.wait(PATIENCE)
        left = psutil.wait_procs(members, timeout=PATIENCE)[1]
    assert left == []
    assert processes_of(state) == []
    assert b"Traceback" not in log.read_bytes()


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    variables = platform_variables(tmp_path / "state")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(variables["TRACKBACK_GOCD_PORT"])))
        taken.listen()
        done = run_platform(variables)
    assert done.returncode == 1
    assert done.stderr.startswith(f"expected port {variables['TRACKBACK_GOCD_PORT']} to be free, found it taken")
    assert "set TRACKBACK_GOCD_PORT to another port" in done.stderr


def test_a_state_that_knows_mlflow_under_another_address_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "mlflow").mkdir(parents=True)
    (state / "mlflow" / "address").write_text("http://127.0.0.1:1")
    done = run_platform(platform_variables(state))
    assert done.returncode == 1
    assert done.stderr.startswith("expected MLflow at http://127.0.0.1:1 as before, found http://127.0.0.1:")


def test_a_second_platform_on_the_same_state_is_refused_by_name(tmp_path: Path) -> None:
    state, log = tmp_path / "state", tmp_path / "log"
    with started("platform", state, log) as process:
        poll_until(lambda: is_starting(process, log), "the first platform to start")
        done = run_platform(platform_variables(state))
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert done.returncode == 1
    assert f"found the one of process {process.pid} since " in done.stderr
    assert "stop it, or set TRACKBACK_STATE" in done.stderr


def test_the_demo_runs_once_and_ends(tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--once"],
        env={**os.environ, **platform_variables(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    first, second, third = (float(found) for found in re.findall(r'"predictions":\[([0-9.]+)\]', done.stdout))
    # Sold for 4,357 dollars: the better model errs less, and the bad one never answers.
    assert abs(second - 4357) < abs(first - 4357)
    assert third == second
    assert done.stdout.count("served by onnx: ready in ") == 2
    assert "stopped at the gate 'validate':" in done.stdout
    assert re.search(r"training data\s+[0-9a-f]{64} \(43206 rows of plotnine.data.diamonds\)", done.stdout)
    assert re.search(r"pipeline\s+diamond-price 2\n", done.stdout)
    assert processes_of(state) == []

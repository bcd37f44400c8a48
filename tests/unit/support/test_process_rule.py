"""A unit test that starts a process says so: without the marker it fails, in any thread of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.process

CONFTEST = """
import pytest
from tests.support.process_rule import ProcessRule

def pytest_configure(config):
    config.addinivalue_line("markers", "process: starts a process")
    config.pluginmanager.register(ProcessRule())
"""
TESTS = """
import contextlib, socket, subprocess, threading
import pytest

def start(*command):
    subprocess.run(command or ["true"], check=True)

def test_quiet():
    socket.create_server(("127.0.0.1", 0)).close()

def test_start():
    start()

def test_thread():
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

@pytest.fixture
def started():
    start()

def test_fixture(started):
    pass

def test_away():
    # A datagram socket that is connected sends nothing.
    with socket.socket(type=socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        one.connect(("192.0.2.1", 9))

def test_git():
    start("git", "rev-parse", "--git-dir")

def test_import_of_gitpython():
    start("git", "version")

@pytest.mark.process
def test_marked():
    start()

NEXT, STARTED = threading.Event(), threading.Event()

def start_later():
    NEXT.wait()
    start()
    STARTED.set()

@pytest.mark.process
def test_that_leaves_a_thread():
    threading.Thread(target=start_later).start()

def test_after_it():
    NEXT.set()
    STARTED.wait()
"""


@pytest.mark.parametrize(
    ("folder", "failed"), [("unit", {"start", "thread", "fixture", "away", "git"}), ("integration", set())]
)
def test_units_without_the_marker_start_no_process_and_stay_on_this_machine(
    tmp_path: Path, folder: str, failed: set[str]
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / folder / "test_it.py").write_text(TESTS)
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    said = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert {line.split("test_it.py::test_")[1].split()[0] for line in said} == failed, done.stdout
    assert "10 passed" in done.stdout

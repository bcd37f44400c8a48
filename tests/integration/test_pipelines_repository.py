"""The repository that the stack serves to GoCD, with a real git on both sides."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port

FILE = "services/gocd/pipelines.gocd.yaml"
AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(checkout: Path, text: str) -> str:
    """The id of the commit."""
    path = checkout / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", text)
    return git(checkout, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=somebody/works-on-this")
    commit(folder, "first")
    return folder


def command(checkout: Path, folder: Path, port: int) -> list[str]:
    place = ["--checkout", str(checkout), "--folder", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, "-m", "services.gocd.repository", *place, "--every", "0.1"]


@contextmanager
def served(checkout: Path, folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The URL, and the process that serves it."""
    port = free_port()
    process = subprocess.Popen(command(checkout, folder, port), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    url = f"git://127.0.0.1:{port}/pipelines.git"
    try:
        poll_until(lambda: main_of(url), "the repository")
        yield url, process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def main_of(url: str) -> str | None:
    found = subprocess.run(["git", "ls-remote", url, "refs/heads/main"], capture_output=True, text=True, check=False)
    return found.stdout.split()[0] if found.stdout else None


def refused(checkout: Path, folder: Path) -> str:
    done = subprocess.run(command(checkout, folder, 1), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    return done.stderr


def test_whatever_is_checked_out_is_served_as_main_and_a_commit_follows(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served") as (url, _):
        git(tmp_path, "clone", "--quiet", "--branch", "main", url, "clone")
        assert (tmp_path / "clone" / FILE).read_text() == "first"
        second = commit(checkout, "second")
        poll_until(lambda: main_of(url) == second, "the second commit")
        git(tmp_path / "clone", "pull", "--quiet")
        assert (tmp_path / "clone" / FILE).read_text() == "second"


def test_going_back_and_a_detached_head_follow_too(checkout: Path, tmp_path: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    commit(checkout, "second")
    with served(checkout, tmp_path / "served") as (url, _):
        git(checkout, "checkout", "--quiet", "--detach", first)
        poll_until(lambda: main_of(url) == first, "the first commit")


def test_a_start_on_what_an_earlier_one_left_serves_the_present_commit(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served"):
        pass
    second = commit(checkout, "second")
    with served(checkout, tmp_path / "served") as (url, _):
        assert main_of(url) == second


def test_a_shallow_clone_is_served_too(checkout: Path, tmp_path: Path) -> None:
    second = commit(checkout, "second")
    git(tmp_path, "clone", "--quiet", "--depth", "1", checkout.as_uri(), "shallow")
    with served(tmp_path / "shallow", tmp_path / "served") as (url, _):
        assert main_of(url) == second
        git(tmp_path, "clone", "--quiet", "--branch", "main", url, "clone")
        assert (tmp_path / "clone" / FILE).read_text() == "second"


def test_nobody_can_push_into_it(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served") as (url, _):
        before = main_of(url)
        pushed = subprocess.run(
            ["git", "push", url, "HEAD:refs/heads/main", "--force"], cwd=checkout, capture_output=True, check=False
        )
        assert pushed.returncode != 0
        assert main_of(url) == before


def test_a_checkout_that_is_lost_for_a_while_does_not_take_the_pipelines_away(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served") as (url, process):
        before = main_of(url)
        (checkout / ".git").rename(checkout / "away")
        assert process.stderr
        said = iter(process.stderr)
        assert any("cannot follow the checkout" in line for line in said)
        assert main_of(url) == before
        (checkout / "away").rename(checkout / ".git")
        second = commit(checkout, "second")
        poll_until(lambda: main_of(url) == second, "the second commit")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to somebody else")
def test_a_checkout_of_another_user_is_read(checkout: Path, tmp_path: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345)
    with served(checkout, tmp_path / "served") as (url, _):
        assert main_of(url) == head


def test_a_folder_that_is_no_repository_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    assert "expected a git repository, found none" in refused(tmp_path / "archive", tmp_path / "served")


def test_a_repository_without_a_commit_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    assert "expected a git repository with a commit" in refused(tmp_path / "empty", tmp_path / "served")


def test_sigterm_ends_the_daemon_as_well(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served") as (url, process):
        daemons = psutil.Process(process.pid).children(recursive=True)
        assert daemons
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        poll_until(lambda: not any(daemon.is_running() for daemon in daemons), "the end of the daemon")
        assert main_of(url) is None


def test_a_daemon_that_dies_ends_the_service(checkout: Path, tmp_path: Path) -> None:
    with served(checkout, tmp_path / "served") as (_, process):
        os.killpg(psutil.Process(process.pid).children()[0].pid, signal.SIGKILL)
        assert process.wait(PATIENCE) == 1
        assert process.stderr
        assert "git daemon at 127.0.0.1" in process.stderr.read()

"""Programs that make a machine image end with us, and what one of them says in the end is told in a line."""

import os
import signal
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.signals import surely_exit_on
from services.delivery.machine_image import debian
from services.delivery.machine_image.squashfs import writing
from services.delivery.machine_image.tools import ended

pytestmark = pytest.mark.process

NO_NETWORK = """I: running apt-get update...
Err:1 http://mirror.example/debian bookworm InRelease
  Temporary failure resolving 'mirror.example'
E: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease
E: setup failed
"""
WITH_LOGIN = "Err:1 x\n  Could not connect to http://ada:secret@mirror.example:80\n"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs go before all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def fake(tools: Path, name: str, script: str) -> None:
    (tools / name).write_text(f"#!/bin/sh\n{script}\n")
    (tools / name).chmod(0o755)


def test_a_program_is_told_to_stop_when_we_are_and_leaves_its_things_in_order(tmp_path: Path) -> None:
    (tmp_path / "tree").touch()
    # What does not fit into a pipe is written only once we read, so it stops us when we wait for it.
    said = "head -c 200000 /dev/zero"
    script = f"trap 'rm {tmp_path}/tree; exit 1' TERM; {said}; kill -TERM {os.getpid()}; while :; do sleep 0.05; done"
    with pytest.raises(SystemExit), surely_exit_on(signal.SIGTERM):
        ended(["sh", "-c", script])
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [(NO_NETWORK, "Temporary failure resolving 'mirror.example'"), ("E: no such package\n", "no such package")],
)
def test_a_mirror_that_cannot_be_reached_is_one_line(tools: Path, tmp_path: Path, said: str, told: str) -> None:
    (tmp_path / "said").write_text(said)
    fake(tools, "mmdebstrap", f"cat {tmp_path}/said; exit 25")
    fake(tools, "apt-get", r"printf 'http://ada:secret@mirror.example/debian\tbookworm\tmain\n'")
    with pytest.raises(Refused) as refused:
        debian.build_tree(debian.Recipe(("crun",), tmp_path / "files.tar", (), configured=True), tmp_path / "tree.tar")
    assert str(refused.value) == (
        "expected mmdebstrap to make a tree of Debian packages from deb http://mirror.example/debian bookworm main, "
        f"found: {told}: is the mirror reachable? What was made before is in the store and needs none"
    )


def test_a_login_in_what_apt_says_is_not_told(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "said").write_text(WITH_LOGIN)
    fake(tools, "mmdebstrap", f"cat {tmp_path}/said; exit 25")
    fake(tools, "apt-get", r"printf 'http://mirror.example/debian\tbookworm\tmain\n'")
    with pytest.raises(Refused, match="Could not connect to http://mirror.example:80"):
        debian.build_tree(debian.Recipe(("crun",), tmp_path / "files.tar", (), configured=True), tmp_path / "tree.tar")


def test_a_machine_whose_apt_has_no_debian_of_ours_is_told_so(tools: Path) -> None:
    fake(tools, "apt-get", r"printf 'http://mirror.example/ubuntu\tnoble\tmain\n'")
    with pytest.raises(Refused, match="expected apt's sources to have Debian's bookworm, found none: add them"):
        debian.sources()


def test_a_file_system_that_cannot_be_written_is_refused_with_the_last_words(tools: Path, tmp_path: Path) -> None:
    fake(tools, "mksquashfs", "cat > /dev/null; echo 'FATAL ERROR: No space left on device'; exit 1")
    with (
        pytest.raises(Refused, match="to write a file system, found exit 1: FATAL ERROR: No space left on device"),
        writing(tmp_path / "base.squashfs"),
    ):
        pass

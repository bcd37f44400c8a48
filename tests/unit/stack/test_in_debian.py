"""tests/offline/in-debian gives a command a copy of the checkout, an engine of its own and this machine's caches."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SCRIPT = ROOT / "tests" / "offline" / "in-debian"


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """What a docker that does nothing was asked."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" > {tmp_path}/asked\n')
    docker.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/ada"}
    subprocess.run([SCRIPT, ".ci/run", "two words"], env=environment, check=True)
    return (tmp_path / "asked").read_text().split("\0")[:-1]


@pytest.mark.process
def test_the_checkout_can_only_be_read_and_the_caches_are_kept(asked: list[str]) -> None:
    volumes = [asked[place + 1] for place, word in enumerate(asked) if word == "--volume"]
    assert volumes == [
        "/var/lib/docker",
        f"{ROOT}:/given:ro",
        "/home/ada/.cache:/caches/.cache",
        "/home/ada/.m2:/caches/.m2",
    ]
    assert {"--rm", "--privileged", "CI=true"} <= set(asked)


@pytest.mark.process
def test_the_command_is_handed_on_word_by_word(asked: list[str]) -> None:
    assert asked[-3:] == ["sh", ".ci/run", "two words"]


@pytest.mark.process
def test_what_prepares_the_container_is_what_a_shell_understands(asked: list[str], tmp_path: Path) -> None:
    file = tmp_path / "prepare"
    file.write_text(asked[asked.index("-ec") + 1])
    for shell in filter(shutil.which, ("sh", "dash")):
        assert subprocess.run([shell, "-n", file], capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.process
def test_without_a_command_it_says_which_one_is_meant() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "expected a command, found none: tests/offline/in-debian .ci/run\n")

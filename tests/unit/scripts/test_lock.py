"""scripts/lock asks for what is allowed: what is locked already, or with --upgrade the newest."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ENVIRONMENTS = {path.stem for path in (ROOT / "requirements").glob("*.in")}
PEERS = {path.stem for path in (ROOT / "benchmarks" / "peers").glob("*.in")}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy whose uv writes down what it is asked, and does no more."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts" / "environments.py").write_text("")
    (tmp_path / "requirements").mkdir()
    shutil.copytree(ROOT / "benchmarks" / "peers", tmp_path / "benchmarks" / "peers")
    uv = tmp_path / ".tools" / "uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text('#!/bin/sh\necho "$@" >> ../asked\n')
    uv.chmod(0o755)
    return tmp_path


def lock(checkout: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(checkout / "scripts" / "lock"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def asked(checkout: Path) -> list[list[str]]:
    return [line.split() for line in (checkout / "asked").read_text().splitlines()]


@pytest.mark.process
@pytest.mark.parametrize("options", [(), ("--upgrade",)], ids=["as locked", "newest"])
def test_every_environment_is_locked_and_dev_before_those_that_must_agree_with_it(
    checkout: Path, options: tuple[str, ...]
) -> None:
    assert lock(checkout, *options).returncode == 0
    found = asked(checkout)
    files = [Path(words[words.index("--output-file") - 1]).stem for words in found]
    assert files[0] == "dev"
    assert sorted(files) == sorted(ENVIRONMENTS | PEERS)
    assert [("--upgrade" in words) for words in found] == [bool(options)] * len(files)
    bound = {file for file, words in zip(files, found, strict=True) if "--constraints" in words}
    assert bound == ENVIRONMENTS - {"dev"}, "what others are like is not ours to say"
    assert all("--generate-hashes" in words and "--no-emit-index-url" in words for words in found)


@pytest.mark.process
def test_another_word_is_refused_before_anything_is_locked(checkout: Path) -> None:
    done = lock(checkout, "--newest")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "expected nothing or --upgrade, found '--newest': scripts/lock --help\n"
    assert not (checkout / "asked").exists()

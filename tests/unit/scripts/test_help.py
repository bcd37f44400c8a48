"""Help is there before anything is installed, and says what the programs themselves say."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.help_texts import FOLDER, texts
from tests.support.paths import ROOT

pytestmark = pytest.mark.process


SAID_BY_A_TEXT = (
    "scripts/demo",
    "scripts/drill",
    "scripts/platform",
    "benchmarks/batch-speed",
    "benchmarks/poll-cost",
    "benchmarks/worker-scaling",
    "benchmarks/serving",
    "scripts/trackback",
)
SAID_BY_THE_FIRST_LINES = ("scripts/setup", "scripts/test", "scripts/check", "scripts/lock")


def test_each_text_is_what_the_program_says() -> None:
    """After a change: `python -m scripts.help_texts`."""
    kept = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    said = texts()
    assert sorted(kept) == sorted(said)
    # argparse breaks its lines as each Python likes.
    assert {name: text.split() for name, text in kept.items()} == {name: text.split() for name, text in said.items()}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh one, on a machine that has a shell and nothing else: not even Python."""
    for folder in ("scripts", "benchmarks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "basename", "cat", "dirname", "env", "readlink", "sed"):
        (tools / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def run(checkout: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    words = [str(checkout / command[0]), *command[1:]]
    environment = {"PATH": str(checkout / "tools"), "LANG": os.environ.get("LANG", "C.UTF-8")}
    return subprocess.run(words, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("script", SAID_BY_A_TEXT)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_needs_nothing_that_is_installed(checkout: Path, script: str, option: str) -> None:
    done = run(checkout, script, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (FOLDER / f"{Path(script).name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", SAID_BY_THE_FIRST_LINES)
def test_a_script_without_a_text_says_what_its_first_lines_say(checkout: Path, script: str) -> None:
    done = run(checkout, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout.splitlines()
    assert said
    assert said == [line[2:] for line in (ROOT / script).read_text().splitlines()[1 : len(said) + 1]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("rollback", "--help"), "trackback-rollback"),
        (("rollback", "diamond-price", "--reason", "x", "--help"), "trackback-rollback"),
        (("gocd", "--help"), "trackback-gocd"),
        (("gocd", "set-up", "--url", "x", "--help"), "trackback-gocd-set-up"),
        (("train", "diamond-price", "--help"), "trackback-train"),
        (("--help", "promote"), "trackback"),
        (("no-such-verb", "--help"), "trackback"),
    ],
)
def test_each_verb_has_its_own(checkout: Path, words: tuple[str, ...], text: str) -> None:
    done = run(checkout, "scripts/trackback", *words)
    assert (done.returncode, done.stdout) == (0, (FOLDER / f"{text}.txt").read_text(encoding="utf-8"))


def test_without_the_word_the_script_goes_on(checkout: Path) -> None:
    for words in (("scripts/platform",), ("scripts/trackback", "status", "--text"), ("scripts/setup", "training")):
        done = run(checkout, *words)
        assert done.returncode != 0
        assert done.stdout == ""

"""`make help` is the one list of commands: none is missing, and none is named that is not there."""

import os
import re
import subprocess

import pytest

from tests.support.makefile import TEXT, Target, targets
from tests.support.paths import ROOT

FOLDERS = ("scripts", "benchmarks", "tests/offline", ".ci")
# Which Python the scripts run in: called by them, by nobody else.
FOR_SCRIPTS_ONLY = {"scripts/python"}
LISTED = targets()
TARGETS = [target for target in LISTED.values() if target.name != "help"]


def commands() -> set[str]:
    files = [path for folder in FOLDERS for path in (ROOT / folder).iterdir() if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in files if os.access(path, os.X_OK)}


def test_every_command_has_a_target() -> None:
    assert commands() - FOR_SCRIPTS_ONLY - {word for target in TARGETS for word in target.recipe.split()} == set()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_target_calls_one_program_that_is_there_and_hands_arguments_on(target: Target) -> None:
    if "/" in target.program and not target.program.startswith(".venv/"):
        assert target.program in commands()
    assert target.recipe.endswith(" $(ARGS)")
    assert not set(target.recipe) & set(";|&<>")


def test_every_target_is_one_line_of_help_and_one_of_recipe() -> None:
    rules = re.findall(r"^([a-z-]+):", TEXT, re.M)
    assert rules == list(LISTED)
    assert sorted(rules) == sorted(" ".join(re.findall(r"^\.PHONY: (.+)", TEXT, re.M)).split())


@pytest.mark.process
def test_help_lists_every_target_in_lines_that_fit_a_terminal() -> None:
    # As make hands it to the shell, so that the test needs no make.
    recipe = LISTED["help"].recipe.replace("$$", "$").replace("$(MAKEFILE_LIST)", "Makefile")
    done = subprocess.run(["sh", "-c", recipe], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line for line in lines if len(line) > 100] == []
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(LISTED)


def test_every_target_that_is_spoken_of_is_there() -> None:
    pages = [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / ".github").glob("*.md"),
        ROOT / "README.md",
        ROOT / ".pre-commit-config.yaml",
    ]
    named = {word for page in pages for word in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.M)}
    assert "quick" in named
    assert named - LISTED.keys() == set()


@pytest.mark.parametrize("target", [one for one in TARGETS if " -m scripts." in one.recipe], ids=lambda one: one.name)
def test_a_module_that_is_called_by_make_takes_no_word_for_nothing(target: Target) -> None:
    """A stranger's --help would otherwise write its page."""
    module = re.search(r" -m (scripts\.\w+)", target.recipe)
    assert module
    assert "ArgumentParser(" in (ROOT / f"{module[1].replace('.', '/')}.py").read_text()

"""Every command of the docs is one that a shell understands, and is run by a test unless its block says why not."""

import re
import subprocess

import pytest

from tests.support.documented import Block, blocks, inline_commands
from tests.support.paths import ROOT

PLATFORMS = ("one machine", "compose", "compose, after tagging the run")

each = pytest.mark.parametrize("block", blocks(), ids=str)


def parses(command: str) -> bool:
    words = re.sub(r"<[^>]+>|…", "word", command)
    return subprocess.run(["bash", "-n", "-c", words], capture_output=True, check=False).returncode == 0


def test_commands_are_found() -> None:
    found = {block.commands[0] for block in blocks()}
    assert {"scripts/demo", "scripts/doctor", "scripts/trackback status --text"} <= found


@each
def test_a_block_of_commands_says_where_it_is_run_or_why_it_is_not(block: Block) -> None:
    assert block.how, f"{block}: expected '<!-- run on: one machine|compose -->', 'run by: <test>' or 'not run: <why>'"
    if block.how == "run on":
        assert block.what in PLATFORMS


@pytest.mark.process
@each
def test_a_command_is_one_that_a_shell_understands(block: Block) -> None:
    assert [command for command in block.commands if not parses(command)] == []


@each
def test_a_test_that_is_said_to_run_a_command_names_it(block: Block) -> None:
    if block.how == "run by":
        text = (ROOT / block.what).read_text()
        for command in block.commands:
            assert any(word in text for word in re.split("[ /]", command)), (
                f"{block}: expected {block.what} to run '{command}'"
            )


@pytest.mark.process
@pytest.mark.parametrize(("document", "command"), inline_commands())
def test_a_command_in_the_text_is_one_that_a_shell_understands(document: str, command: str) -> None:
    assert parses(command), f"{document}: {command}"
    script = command.split()[0]
    assert not script.startswith("scripts/") or (ROOT / script).exists()

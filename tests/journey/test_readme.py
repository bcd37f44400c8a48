"""What a reader does who follows README and docs from top to bottom: every command of theirs, on its platform."""

import json
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.journey.conftest import GIVEN, ON_THE_STACK, of_stack
from tests.support.compose_stack import Stack
from tests.support.documented import Block, blocks
from tests.support.paths import ROOT
from tests.support.platform_client import MODEL, Access, PlatformClient
from tests.support.platform_process import RunningPlatform

SECONDS = 400

pytestmark = pytest.mark.skipif(GIVEN, reason="the docs tell of our own platforms: unset TRACKBACK_MLFLOW_URL")


class Reader:
    """Copies commands, and puts in the place of `<run id>` what the last training printed."""

    def __init__(self, access: Access, at: Callable[[str], str] = str) -> None:
        self._environment, self._at = access.environment, at
        self._client = PlatformClient(access)
        self._run_id = ""

    def follow(self, block: Block) -> None:
        if block.what.endswith("after tagging the run"):
            self._delivers(lambda: self._client.tag(self._run_id, f"by hand for {block}"))
        for command in block.commands:
            if " promote " in command:
                self._delivers(lambda copied=command: self._run(copied))  # type: ignore[misc]
            else:
                self._run(command)

    def begins_with_something_live(self) -> None:
        """As after the demo, which is where the docs begin on one machine."""
        if not self._client.state()["live"]:
            self._run_id = self._client.train("--variant", "boosted")
            self._delivers(lambda: self._client.promote(self._run_id, "as the demo does"))

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-c", self._at(command.replace("<run id>", self._run_id))],
            cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-1000:]} {done.stderr[-1000:]}"
        if re.search(r"\btrain(ing)?\b", command):
            self._run_id = json.loads(done.stdout)["run_id"]

    def _delivers(self, act: Callable[[], None]) -> None:
        before = self._client.newest(MODEL)
        act()
        build = self._client.delivered(before, self._run_id)
        assert set(self._client.stages(build).values()) == {"Passed"}


def on(platform: str) -> list[Block]:
    found = [block for block in blocks() if block.how == "run on" and block.what.startswith(platform)]
    assert found
    return found


def test_the_commands_for_one_machine_can_be_followed(platform: RunningPlatform) -> None:
    reader = Reader(Access(platform.urls, platform.environment))
    reader.begins_with_something_live()
    for block in on("one machine"):
        reader.follow(block)


@ON_THE_STACK
def test_the_commands_for_the_stack_can_be_followed(stack: Stack) -> None:
    usual = variables_of_env()

    def at(command: str) -> str:
        """On the ports that this stack has."""
        for name, port in usual.items():
            command = command.replace(f"localhost:{port}/", f"localhost:{stack.variables[name]}/")
        return command

    reader = Reader(of_stack(stack), at)
    for block in on("compose"):
        reader.follow(block)


def variables_of_env() -> dict[str, str]:
    lines = [line.partition("=") for line in (ROOT / ".env").read_text().splitlines()]
    return {name: value for name, _, value in lines if name.endswith("_PORT")}

"""A program that is run inside of a container, by an engine that answers as Docker does."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.contract.errors import Refused
from services.rollout.containers.engine import Container


@dataclass
class FakeFound:
    """A container of the engine's client."""

    answer: tuple[int, tuple[bytes | None, bytes | None]] = (0, (None, None))
    name: str = "one"
    labels: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(
        default_factory=lambda: {"State": {"StartedAt": ""}, "NetworkSettings": {"Networks": {}}}
    )

    def exec_run(self, command: list[str], *, demux: bool) -> tuple[int, tuple[bytes | None, bytes | None]]:
        assert (command, demux) == (["python", "-V"], True)
        return self.answer


def container(**found: Any) -> Container:
    return Container(cast(Any, FakeFound(**found)), "releases")


def test_what_a_program_in_it_says_is_the_answer_and_its_complaint_the_refusal() -> None:
    assert container(answer=(0, (b"3.11", b"slow"))).ask(["python", "-V"]) == "3.11"
    for complaint, words in ((b"no such file\n", "^one: no such file$"), (None, "^one: it said nothing$")):
        with pytest.raises(Refused, match=words):
            container(answer=(1, (None, complaint))).ask(["python", "-V"])

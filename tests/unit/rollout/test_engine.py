"""What a container tells of itself, by an engine that answers as Docker does."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.contract.errors import Refused
from services.rollout.containers.engine import Container


@dataclass
class FakeFound:
    """A container of the engine's client; asked for its memory it must not wait for a second look."""

    memory: dict[str, Any] = field(default_factory=dict)
    answer: tuple[int, tuple[bytes | None, bytes | None]] = (0, (None, None))
    name: str = "one"
    labels: dict[str, str] = field(default_factory=dict)
    attrs: dict[str, Any] = field(
        default_factory=lambda: {"State": {"StartedAt": ""}, "NetworkSettings": {"Networks": {}}}
    )

    def stats(self, *, stream: bool, one_shot: bool) -> dict[str, Any]:
        assert (stream, one_shot) == (False, True)
        return {"memory_stats": self.memory}

    def exec_run(self, command: list[str], *, demux: bool) -> tuple[int, tuple[bytes | None, bytes | None]]:
        assert (command, demux) == (["python", "-V"], True)
        return self.answer


def container(**found: Any) -> Container:
    return Container(cast(Any, FakeFound(**found)), "releases")


@pytest.mark.parametrize(
    ("memory", "resident"),
    [
        ({"usage": 9, "stats": {"anon": 5, "file": 4}}, 5),
        ({"usage": 9, "stats": {"rss": 5, "total_rss": 6, "cache": 3}}, 6),
        ({}, 0),
    ],
    ids=["cgroup 2", "cgroup 1", "one that ends"],
)
def test_memory_is_that_of_processes_and_not_of_files(memory: dict[str, Any], resident: int) -> None:
    assert container(memory=memory).resident_bytes() == resident


def test_what_a_program_in_it_says_is_the_answer_and_its_complaint_the_refusal() -> None:
    assert container(answer=(0, (b"3.11", b"slow"))).ask(["python", "-V"]) == "3.11"
    for complaint, words in ((b"no such file\n", "^one: no such file$"), (None, "^one: it said nothing$")):
        with pytest.raises(Refused, match=words):
            container(answer=(1, (None, complaint))).ask(["python", "-V"])

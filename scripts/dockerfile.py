"""The stages of a Dockerfile as they are written: their instructions, and what they stand on."""

import re
from dataclasses import dataclass
from pathlib import Path

_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """`instructions` are pairs of a word and what follows it, without the FROM."""

    name: str
    base: str
    instructions: tuple[tuple[str, str], ...]


def read_stages(file: Path) -> list[Stage]:
    """In the order of the file; arguments before the first FROM are of none."""
    text = _COMMENT.sub("", file.read_text(encoding="utf-8")).replace("\\\n", " ")
    stages: list[Stage] = []
    for word, rest in (line.split(maxsplit=1) for line in text.splitlines() if line.strip()):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(name, base, ()))
        elif stages:
            last = stages.pop()
            stages.append(Stage(last.name, last.base, (*last.instructions, (word, rest))))
    return stages

"""The commands of the docs as they stand there, and what each block of them says about where it is run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(
    r"(?:<!-- (?P<how>run on|run by|not run): (?P<what>.+?) -->\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.M | re.S,
)
_PROGRAMS = ("scripts/", "docker ", "curl ", "export ", "mvn ", "pip ", "uv ", "python ")
_INLINE = re.compile(r"`((?:scripts/|docker |COMPOSE_\w+=)[^`]* [^`]*)`")


@dataclass(frozen=True)
class Block:
    """`how` is `run on` a platform, `run by` another test, `not run` for a reason, or nothing; `what` is which."""

    document: str
    line: int
    how: str
    what: str
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks() -> list[Block]:
    """All that hold commands, in the order of a reader."""
    found = [block for document in DOCUMENTS for block in _blocks(document)]
    return [block for block in found if block.commands]


def inline_commands() -> list[tuple[str, str]]:
    """Those in the text, each with its document."""
    return [(path.name, command) for path in DOCUMENTS for command in _INLINE.findall(path.read_text())]


def _blocks(document: Path) -> Iterator[Block]:
    text = document.read_text()
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("body")) + 1
        commands = tuple(_commands(match["body"])) if not match["language"] else ()
        name = document.relative_to(ROOT).as_posix()
        yield Block(name, line, match["how"] or "", match["what"] or "", commands)


def _commands(body: str) -> Iterator[str]:
    """After a `$`, where there is one; without the comment behind it."""
    lines = body.replace("\\\n", "").splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        if line.startswith(_PROGRAMS):
            yield re.sub(r"\s{2,}# .*", "", line)

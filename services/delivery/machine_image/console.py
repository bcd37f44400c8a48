"""What a machine says on its console, and the one line among it that is its result."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.contract.errors import Refused

# More in one piece is no line, and is told in parts.
LONGEST = 4096
_RESULT = re.compile(r"TRACKBACK-RESULT status=(\d{1,3}) (.+)")
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[()][0-9A-B]|[=>78cDEHM])?")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


@dataclass(frozen=True)
class Result:
    """`status` 0 is done; docs/batch.md has the others."""

    status: int
    words: str


def result_of(lines: Sequence[str]) -> Result:
    """Raises Refused unless there is exactly one result line: how QEMU itself ends says nothing."""
    found = [match for line in lines if (match := _RESULT.fullmatch(line))]
    if len(found) != 1:
        last = next((line for line in reversed(lines) if line), "nothing")
        raise Refused(f"expected one result line on the console, found {len(found)}: the last line is '{last[:200]}'")
    return Result(int(found[0][1]), found[0][2])


class Lines:
    """Cuts what comes from a serial line into lines, without what would move a terminal's cursor."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, chunk: bytes) -> Iterator[str]:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        yield from map(_plain, whole)
        if len(self._rest) > LONGEST:
            yield from self.end()

    def end(self) -> Iterator[str]:
        """What no line end has followed."""
        rest, self._rest = self._rest, b""
        if rest:
            yield _plain(rest)


def _plain(line: bytes) -> str:
    text = _ESCAPES.sub("", line.decode(errors="replace").rstrip("\r").expandtabs())
    return _UNPRINTABLE.sub("?", text)

"""The prediction log of a model: a sampled share of what was asked and answered, as JSON lines in a folder.

Each serving process writes files of its own, `predictions-<worker>-<n>.jsonl`, until one is full; the oldest are
removed, so that the folder stays within its bytes.
"""

import heapq
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any

from pydantic import StringConstraints

from services.contract.errors import Refused
from services.contract.record import ModelName, Record, Revision, Sha256

# In logs, in addresses and on command lines it needs no quotes.
REQUEST_ID = r"[A-Za-z0-9._~:/+=@-]{1,128}"
RequestId = Annotated[str, StringConstraints(pattern=f"^{REQUEST_ID}$")]

PATTERN = "predictions-*.jsonl"
_HASHES = 1 << 32
# 2^32 / golden ratio: a checksum alone spreads ids that count up unevenly (Knuth, TAOCP, 6.4).
_SPREAD = 2654435769


class LoggedPrediction(Record):
    """`at` is when it was answered, `seconds` how long that took.

    `columns` name the values of each row of `inputs`; a value that JSON has no word for is null. `inputs` are null
    where only their digest is kept: the SHA-256 of the rows as compact JSON. Of a refused request nothing but the
    status is known.
    """

    at: datetime
    request_id: RequestId
    model: ModelName
    revision: Revision
    release: Sha256
    status: int
    seconds: float
    rows: int
    columns: tuple[str, ...]
    inputs: list[list[Any]] | None = None
    inputs_sha256: Sha256 | None = None
    predictions: list[Any] | None = None


class LogQuery(Record):
    """What is asked of a model's prediction log: one request, or all that is kept."""

    request_id: RequestId | None = None

    def matches(self, line: bytes) -> bool:
        """Of a line as its writers write it."""
        return self.request_id is None or f'"request_id":"{self.request_id}"'.encode() in line


def is_sampled(request_id: str, share: float) -> bool:
    """By the id alone: a request that is sent again, or copied to a shadow, is kept wherever the first one is."""
    return share > 0 and zlib.crc32(request_id.encode()) * _SPREAD % _HASHES < share * _HASHES


def read_log(folder: Path) -> Iterator[LoggedPrediction]:
    """In the order of time, over the files of all workers. Raises Refused for a line that is none of ours.

    A half line at the end of a file, which is being written or was when its process ended, is left out.
    """
    return heapq.merge(*(read_lines(path) for path in sorted(folder.glob(PATTERN))), key=lambda one: one.at)


def read_lines(path: Path) -> Iterator[LoggedPrediction]:
    """Of one file; none when it was removed meanwhile."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(whole_lines(file), start=1):
                yield LoggedPrediction.from_json(line, f"{path}:{number}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refused(f"{path}: expected a prediction log, cannot read it: {error.strerror}") from error


def whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line for line in file if line.endswith(b"\n"))

"""The plan of a batch: which files are scored and committed together, decided from the input's list alone."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

from services.contract.batch_job import BatchJob, Format
from services.contract.receipt import InputFile
from services.contract.record import Record, Sha256

# A part of a file of Parquet has so many rows, unless there would be too many of them: each reads all of the file.
_ROWS = 1 << 17
_MOST = 16


class Part(Record):
    """Files that stand one after the other in the list, with all their rows; or of one file those from `first` on."""

    number: int
    files: tuple[str, ...]
    rows: int
    first: int | None = None


class Plan(Record):
    """Kept beside the parts. The `key` is that of everything that decides what comes out."""

    key: Sha256
    parts: tuple[Part, ...]


class Written(Record):
    """A part that is whole: the folder that it is in, its files below that, and the rows that were counted there."""

    number: int
    folder: str
    files: tuple[str, ...]
    scored: int
    rejected: int


def plan(job: BatchJob, kind: Format, files: Sequence[InputFile]) -> Plan:
    """Only Parquet tells the number of a row, by which a large file is cut."""
    pieces = {file.path: _pieces(file, job.part_bytes) if kind == "parquet" else 1 for file in files}
    parts = (part for chosen in _packed(files, pieces, job.part_bytes) for part in _cut(chosen, pieces[chosen[0].path]))
    numbered = (part.model_copy(update={"number": number}) for number, part in enumerate(parts))
    return Plan(key=_key(job, kind, files), parts=tuple(part for part in numbered if part.rows))


def _pieces(file: InputFile, most_bytes: int) -> int:
    rows = file.rows or 0
    wanted = max(math.ceil(file.bytes / most_bytes), math.ceil(rows / _ROWS))
    return max(1, min(wanted, _MOST, rows))


def _cut(chosen: Sequence[InputFile], pieces: int) -> Iterator[Part]:
    """Of equal size."""
    paths, rows = tuple(file.path for file in chosen), sum(file.rows or 0 for file in chosen)
    if pieces == 1:
        yield Part(number=0, files=paths, rows=rows)
        return
    edges = [rows * piece // pieces for piece in range(pieces + 1)]
    for first, end in zip(edges, edges[1:], strict=False):
        yield Part(number=0, files=paths, rows=end - first, first=first)


def _key(job: BatchJob, kind: Format, files: Sequence[InputFile]) -> str:
    listed = "".join(f"{file.path}\0{file.bytes}\0{file.sha256}\n" for file in files)
    words = "\n".join((job.release, kind, str(job.part_bytes), *job.keep))
    return hashlib.sha256(f"{words}\n\n{listed}".encode()).hexdigest()


def _packed(files: Sequence[InputFile], pieces: Mapping[str, int], most: int) -> Iterator[list[InputFile]]:
    """As many as have `most` bytes together, at least one; one that is cut stands alone."""
    chosen: list[InputFile] = []
    for file in files:
        alone = any(pieces[one.path] > 1 for one in [*chosen[-1:], file])
        if chosen and (alone or sum(one.bytes for one in chosen) + file.bytes > most):
            yield chosen
            chosen = []
        chosen.append(file)
    if chosen:
        yield chosen

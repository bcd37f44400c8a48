"""The plan of a batch: which files are scored and committed together, decided from the input's list alone."""

import hashlib
from collections.abc import Iterator, Sequence

from services.contract.batch_job import BatchJob, Format
from services.contract.receipt import InputFile
from services.contract.record import Record, Sha256


class Part(Record):
    """Files that stand one after the other in the list, with all their rows."""

    number: int
    files: tuple[str, ...]
    rows: int


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
    parts = (
        Part(number=number, files=tuple(file.path for file in chosen), rows=sum(file.rows or 0 for file in chosen))
        for number, chosen in enumerate(_packed(files, job.part_bytes))
    )
    return Plan(key=_key(job, kind, files), parts=tuple(part for part in parts if part.rows))


def _key(job: BatchJob, kind: Format, files: Sequence[InputFile]) -> str:
    listed = "".join(f"{file.path}\0{file.bytes}\0{file.sha256}\n" for file in files)
    words = "\n".join((job.release, kind, str(job.part_bytes), *job.keep))
    return hashlib.sha256(f"{words}\n\n{listed}".encode()).hexdigest()


def _packed(files: Sequence[InputFile], most: int) -> Iterator[list[InputFile]]:
    """As many as have `most` bytes together, at least one."""
    chosen: list[InputFile] = []
    for file in files:
        if chosen and sum(one.bytes for one in chosen) + file.bytes > most:
            yield chosen
            chosen = []
        chosen.append(file)
    if chosen:
        yield chosen

"""Rows by hashes of their canonical cells, which tell whether two data sets share rows and nothing else of them."""

import io
from hashlib import blake2b
from pathlib import Path

import numpy

from services.contract.errors import Refused
from services.contract.long_fields import csv_reader

BYTES = 8
_TYPE = numpy.dtype("<u8")


def row_hashes(csv: bytes) -> numpy.ndarray:
    """Of canonical CSV with the target last: shape (rows, 2), the hash of the inputs and that of the whole row.

    Two of a million different rows have the same hash in one of 37 million data sets.
    """
    lines = csv_reader(io.StringIO(csv.decode(), newline=""))
    next(lines, None)
    return numpy.frombuffer(b"".join(map(_hashes, lines)), dtype=_TYPE).reshape(-1, 2)


def _hashes(cells: list[str]) -> bytes:
    found = blake2b("\0".join(cells[:-1]).encode(), digest_size=BYTES)
    inputs = found.digest()
    found.update(b"\0" + cells[-1].encode())
    return inputs + found.digest()


def written(hashes: numpy.ndarray) -> bytes:
    """As a file of NumPy, the same bytes for the same hashes."""
    file = io.BytesIO()
    numpy.save(file, hashes, allow_pickle=False)
    return file.getvalue()


def read_row_hashes(path: Path, rows: int) -> numpy.ndarray:
    """Raises Refused unless the file holds two hashes for each of so many rows."""
    try:
        found = numpy.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Refused(f"{path}: expected hashes of rows, cannot read them: {error}") from error
    if not isinstance(found, numpy.ndarray) or (found.dtype, found.shape) != (_TYPE, (rows, 2)):
        described = f"{found.dtype} of shape {found.shape}" if isinstance(found, numpy.ndarray) else "several arrays"
        raise Refused(f"{path}: expected two hashes for each of {rows} rows, found {described}: train again")
    return found

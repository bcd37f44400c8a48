"""What a Parquet file says of its size before any of it is decoded: its rows in the footer, its bytes in each page.

pyarrow's own view of a footer is not asked: there, a damaged one ends the process. Source: parquet.thrift.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from services.prediction.bodies.thrift import CompactReader, Struct

_MAGIC = b"PAR1"
_TAIL = 8
# Encodings by which few bytes become many: of places in a dictionary, and of texts that begin like the one before.
DICTIONARIES, DELTA_BYTE_ARRAY = frozenset({2, 8}), 7


class Chunk(NamedTuple):
    """Of a column, one group of rows; `bytes` is what its pages become."""

    path: str
    bytes: int
    encodings: frozenset[int]


class Footer:
    """Raises ValueError, here and later, for what is no Parquet."""

    def __init__(self, body: bytes) -> None:
        size = int.from_bytes(body[-_TAIL:-4], "little")
        if len(body) < _TAIL + 4 or not body.startswith(_MAGIC) or body[-4:] != _MAGIC or size > len(body) - _TAIL - 4:
            raise ValueError("no footer of Parquet at its end")
        self._reader = CompactReader(body)
        self._found = self._reader.struct_at(len(body) - _TAIL - size)
        self._groups = _structs(self._found.get(4))

    @property
    def rows(self) -> int:
        return max(_whole(self._found, 3), sum(_whole(group, 3) for group in self._groups))

    def chunks(self) -> Iterator[Chunk]:
        for group in self._groups:
            for column in _structs(group.get(1)):
                yield self._chunk(_structs([column.get(3)])[0])

    def _chunk(self, column: Struct) -> Chunk:
        start = min((_whole(column, place) for place in (9, 11) if column.get(place)), default=-1)
        found = list(self._pages(start, start + _whole(column, 7)))
        parts = column.get(3)
        path = b".".join(part for part in parts if isinstance(part, bytes)) if isinstance(parts, list) else b""
        return Chunk(path.decode(), sum(size for size, _ in found), frozenset(encoding for _, encoding in found))

    def _pages(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What each becomes, and its encoding."""
        while start < end:
            header = self._reader.struct_at(start)
            yield _whole(header, 2), _encoding(header)
            start = self._reader.at + _whole(header, 3)


def _encoding(header: Struct) -> int:
    """Of a page of data in either version, 0, which is plain, for others."""
    for place, field in ((5, 2), (8, 4)):
        if isinstance(data := header.get(place), dict) and isinstance(encoding := data.get(field), int):
            return encoding
    return 0


def _whole(found: Struct, place: int) -> int:
    if not isinstance(number := found.get(place), int) or number < 0:
        raise ValueError("a size that is missing or less than nothing")
    return number


def _structs(found: Any) -> list[Struct]:
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("a footer of another form")
    return found

"""What an Arrow IPC stream says of its size before any of it is decoded: its rows, and its bytes when they are.

The metadata of a message are a FlatBuffer of Message.fbs; a compressed buffer begins with the bytes that it becomes.
Source: Arrow Columnar Format, "Serialization and Interprocess Communication (IPC)".
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow

_DICTIONARY, _RECORDS = "dictionary", "record batch"
# Fields by their place in Message.fbs.
_HEADER, _DATA = 2, 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_PLAIN = -1


class Size(NamedTuple):
    rows: int
    bytes: int


def declared(body: bytes) -> Size:
    """Raises ValueError, or an error of Arrow's, for what is no whole stream."""
    try:
        sizes = list(_sizes(body))
    except struct.error as error:
        raise ValueError("a message that ends too early") from error
    return Size(sum(one.rows for one in sizes), sum(one.bytes for one in sizes))


def _sizes(body: bytes) -> Iterator[Size]:
    for message in pyarrow.ipc.MessageReader.open_stream(body):
        if message.type not in (_DICTIONARY, _RECORDS):
            continue
        metadata = memoryview(message.metadata)
        batch = _child(metadata, _root(metadata), _HEADER)
        if message.type == _DICTIONARY:
            batch = _child(metadata, batch, _DATA)
        rows = _number(metadata, batch, _LENGTH) if message.type == _RECORDS else 0
        yield Size(rows, _expanded(metadata, batch, memoryview(message.body)))


def _expanded(metadata: memoryview, batch: int, content: memoryview) -> int:
    if not _field(metadata, batch, _COMPRESSION):
        return len(content)
    return sum(_becomes(content, offset, length) for offset, length in _buffers(metadata, batch))


def _becomes(content: memoryview, offset: int, length: int) -> int:
    if not length:
        return 0
    (size,) = struct.unpack_from("<q", content, offset)
    if size < _PLAIN:
        raise ValueError("a buffer of less than no bytes")
    return length if size == _PLAIN else int(size)


def _buffers(metadata: memoryview, batch: int) -> Iterator[tuple[int, int]]:
    vector = _child(metadata, batch, _BUFFERS)
    (count,) = struct.unpack_from("<I", metadata, vector)
    for place in range(count):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * place)
        yield offset, length


def _root(metadata: memoryview) -> int:
    return int(struct.unpack_from("<I", metadata, 0)[0])


def _field(metadata: memoryview, table: int, place: int) -> int:
    """Where a field of a table stands, 0 for one that has its default."""
    offsets = table - struct.unpack_from("<i", metadata, table)[0]
    (size,) = struct.unpack_from("<H", metadata, offsets)
    entry = 4 + 2 * place
    if entry >= size or not (within := struct.unpack_from("<H", metadata, offsets + entry)[0]):
        return 0
    return int(table + within)


def _child(metadata: memoryview, table: int, place: int) -> int:
    if not (field := _field(metadata, table, place)):
        raise ValueError("a message without its content")
    return int(field + struct.unpack_from("<I", metadata, field)[0])


def _number(metadata: memoryview, table: int, place: int) -> int:
    field = _field(metadata, table, place)
    return int(struct.unpack_from("<q", metadata, field)[0]) if field else 0

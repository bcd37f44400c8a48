"""The data types of tensors, in JSON and in binary: little-endian, and a BYTES element behind its length in 4 bytes."""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from services.prediction.invalid import Invalid

BYTES, BOOL, FP64, INT64 = "BYTES", "BOOL", "FP64", "INT64"
CODES = {
    BOOL: "?", "INT8": "b", "INT16": "h", "INT32": "i", INT64: "q", "UINT8": "B", "UINT16": "H", "UINT32": "I",
    "UINT64": "Q", "FP16": "e", "FP32": "f", FP64: "d",
}  # fmt: skip
DATATYPES = (*CODES, BYTES)


def decode(where: str, datatype: str, content: bytes, count: int) -> list[Any]:
    """Raises Invalid for other than `count` elements."""
    if datatype == BYTES:
        return _texts(where, content, count)
    layout = struct.Struct(f"<{count}{CODES[datatype]}")
    if layout.size != len(content):
        raise Invalid(400, f"{where}: expected {layout.size} bytes of {datatype}, found {len(content)}")
    return list(layout.unpack(content))


def encode(datatype: str, values: Sequence[Any]) -> bytes:
    if datatype == BYTES:
        texts = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return struct.pack(f"<{len(values)}{CODES[datatype]}", *values)


def as_declared(where: str, datatype: str, values: Sequence[Any]) -> list[Any]:
    """Elements of JSON, as the same ones in binary would be read; null stays so. Raises Invalid for others."""
    wanted = _wanted(datatype)
    if not all(value is None or type(value) in wanted for value in values):
        raise Invalid(400, f"{where}.data: expected elements of {datatype}, found others")
    return [value if value is None or datatype == BYTES else _rounded(where, datatype, value) for value in values]


def _rounded(where: str, datatype: str, value: Any) -> Any:
    layout = "<" + CODES[datatype]
    # JSON has one kind of number.
    if isinstance(value, float) and value.is_integer() and not datatype.startswith("FP"):
        value = int(value)
    try:
        return struct.unpack(layout, struct.pack(layout, value))[0]
    except (struct.error, OverflowError) as error:
        raise Invalid(400, f"{where}.data: expected elements of {datatype}, found one outside of it") from error


def _wanted(datatype: str) -> tuple[type, ...]:
    if datatype == BYTES:
        return (str,)
    if datatype == BOOL:
        return (bool,)
    return int, float


def _texts(where: str, content: bytes, count: int) -> list[str]:
    try:
        found = [text.decode() for text in _elements(content)]
    except (struct.error, UnicodeDecodeError) as error:
        raise Invalid(400, f"{where}: expected texts in UTF-8, each behind its length, found something else") from error
    if len(found) != count:
        raise Invalid(400, f"{where}: expected {count} elements of {BYTES}, found {len(found)}")
    return found


def _elements(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        at += 4 + length
        if at > len(content):
            raise struct.error
        yield content[at - length : at]

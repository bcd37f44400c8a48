"""Structs of Thrift's compact protocol, in which Parquet writes what it says of itself.

Source: Apache Thrift, "Thrift Compact protocol encoding".
"""

from typing import Any

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
_SIZES = {_BYTE: 1, _DOUBLE: 8}
_DEEPEST = 10
# Of all structs that one reader reads: those of an ordinary file are hundreds.
_MOST_VALUES = 50_000

Struct = dict[int, Any]


class CompactReader:
    """Reads structs as dictionaries by the numbers of their fields; what is of no use to us is None."""

    def __init__(self, content: bytes) -> None:
        self._content, self.at, self._values = content, 0, 0

    def struct_at(self, place: int) -> Struct:
        """Afterwards `at` is where it ended. Raises ValueError for what is none."""
        self.at = place
        return self._struct(0)

    def _struct(self, depth: int) -> Struct:
        found, field = Struct(), 0
        while byte := self._byte():
            field = field + (byte >> 4) if byte >> 4 else self._whole()
            kind = byte & 15
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise ValueError("more of values than a small file has")
        if kind in _WHOLE:
            return self._whole()
        if kind == _BINARY:
            return self._bytes()
        if kind == _STRUCT:
            return self._struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind not in (_TRUE, _FALSE, *_SIZES):
            raise ValueError("a value of no kind that there is")
        # In a list, a truth value is a byte.
        self.at += _SIZES.get(kind, 1)
        return None

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        return [self._value(head & 15, depth) for _ in range(count)]

    def _bytes(self) -> bytes:
        length = self._varint()
        self.at += length
        return self._content[self.at - length : self.at]

    def _byte(self) -> int:
        if not 0 <= self.at < len(self._content):
            raise ValueError("a struct that ends too early")
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) >= 128:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("a number that is too long")
        return number | byte << shift

    def _whole(self) -> int:
        """Zigzag."""
        number = self._varint()
        return number >> 1 ^ -(number & 1)

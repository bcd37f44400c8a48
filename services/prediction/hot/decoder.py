"""The body of a request in the shapes that clients of MLflow's protocol send most, read by the release's decoder."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec
from msgspec import Raw

from services.contract.release import Column
from services.prediction.hot.cells import Rows
from services.prediction.hot.shapes import Columns, Records, Shape, Table

# Orders of columns that are remembered: a client sends the same one again and again.
MOST_ORDERS = 16
# Bytes of the rows in which to look for what the first one is.
_HEAD = 16


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    columns: tuple[str, ...]
    data: Raw


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    dataframe_split: _Split | None = None
    dataframe_records: Raw = Raw()
    inputs: Raw = Raw()
    instances: Raw = Raw()


_BODY = msgspec.json.Decoder(_Body)
_ITEMS = msgspec.json.Decoder(list[Raw])


class Decoder:
    """Of the release's `inputs`. It takes a request that the general way answers as well, and no other."""

    def __init__(self, inputs: Sequence[Column], max_rows: int) -> None:
        self._inputs = inputs
        self._max_rows = max_rows
        self._records, self._columns, self._rows = Records(inputs), Columns(inputs), Table(inputs, inputs)
        self._table = lru_cache(MOST_ORDERS)(self._made_table)

    def decode(self, body: bytes) -> Rows | None:
        """The rows as `Predictor.answer` takes them; None for what it does not take for certain."""
        try:
            shape, raw, members = self._shape(_BODY.decode(body))
            read = shape.read(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        known = 0 < len(read.rows) <= self._max_rows and _are_members(
            body, members + read.members, lambda: _colons(read.texts)
        )
        return read.rows if known else None

    def begin(self, body: bytes) -> "Large | None":
        """As `decode`, of which only the outside is read yet: it takes one thousandth of a second for each megabyte."""
        try:
            shape, raw, members = self._shape(_BODY.decode(body))
            items = _ITEMS.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return Large(shape, items, members) if 0 < len(items) <= self._max_rows else None

    def _shape(self, body: _Body) -> tuple[Shape, Raw, int]:
        """Of the rows, the rows themselves, and how many members the objects around them have."""
        if body.dataframe_split:
            return self._table(body.dataframe_split.columns), body.dataframe_split.data, 3
        raw = body.dataframe_records or body.inputs or body.instances
        head = bytes(memoryview(raw)[:_HEAD])
        if head.startswith(b"{"):
            return self._columns, raw, 1
        return self._records if head[1:].lstrip().startswith(b"{") else self._rows, raw, 1

    def _made_table(self, names: tuple[str, ...]) -> Table:
        named = {column.name: column for column in self._inputs}
        required = {column.name for column in self._inputs if column.required}
        if len(set(names)) != len(names) or not required <= set(names) <= named.keys():
            raise ValueError("other columns than the model's")
        return Table(self._inputs, [named[name] for name in names])


class Large:
    """Rows that are read in parts. They count only when all of them were read and `is_whole` says so."""

    def __init__(self, shape: Shape, items: Sequence[Raw], members: int) -> None:
        self.items = items
        self._shape, self._members = shape, members
        self._colons = 0

    def read(self, items: Sequence[Raw]) -> Rows:
        """Some of the items. Raises msgspec.MsgspecError or ValueError for what is not certain."""
        read = self._shape.read(b"[" + b",".join(items) + b"]")
        self._members += read.members
        self._colons += _colons(read.texts)
        return read.rows

    def is_whole(self, body: bytes) -> bool:
        return _are_members(body, self._members, lambda: self._colons)


def _are_members(body: bytes, members: int, colons: Callable[[], int]) -> bool:
    """Whether the objects in it have just so many members: a name that is given twice is refused, and msgspec does not
    tell. Each member has a colon, and so may texts, of which one that is written by its number counts as doubt."""
    others = body.count(b":") - members
    return not others or (b"\\u003" not in body and others == colons())


def _colons(texts: Iterable[str | None]) -> int:
    return sum(text.count(":") for text in texts if text)

"""Rows in the shapes that JSON gives them, read into the types that the release's columns have."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from services.contract.release import Column
from services.prediction.hot.cells import Rows, to_cells

# A whole number that is written as 1.0 goes the general way.
_TYPES: dict[str, Any] = {
    "double": float,
    "long": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "string": str,
    "boolean": bool,
    "date": str,
    "datetime": str,
}
TEXTS = ("string", "date", "datetime")


class Read(NamedTuple):
    """`rows` as a model takes them; `members` of the objects that they were written as; `texts` are their strings."""

    rows: Rows
    members: int
    texts: Iterable[Any]


class Shape(Protocol):
    def read(self, raw: bytes | Raw) -> Read:
        """Raises msgspec.MsgspecError or ValueError for rows that are not of this shape for certain."""


class Table:
    """A list of rows, each a list of the values of `columns`; of one column, a value by itself is a row."""

    def __init__(self, inputs: Sequence[Column], columns: Sequence[Column]) -> None:
        # Types that are made here are values to a type checker.
        types: Any = tuple(_type(column) for column in columns)
        self._alone = len(types) == 1
        row: Any = types[0] | tuple[types] if self._alone else tuple[types]
        self._decode = msgspec.json.Decoder(list[row]).decode
        places = {column.name: place for place, column in enumerate(columns)}
        self._to_cells = to_cells(inputs, [places.get(column.name) for column in inputs])
        self._texts = _places_of_texts(columns)

    def read(self, raw: bytes | Raw) -> Read:
        found: Any = self._decode(raw)
        if self._alone:
            found = [one if type(one) is tuple else (one,) for one in found]
        return Read(self._to_cells(found), 0, (row[place] for place in self._texts for row in found))


class Records:
    """A list of objects, each of one value a column; an optional column may be left out."""

    def __init__(self, inputs: Sequence[Column]) -> None:
        record: Any = _object(inputs, _type)
        self._decode = msgspec.json.Decoder(list[record]).decode
        self._to_cells = to_cells(inputs, range(len(inputs)))
        self._optional = [place for place, column in enumerate(inputs) if not column.required]
        self._texts = _places_of_texts(inputs)

    def read(self, raw: bytes | Raw) -> Read:
        found = list(map(msgspec.structs.astuple, self._decode(raw)))
        absent = sum(row[place] is UNSET for place in self._optional for row in found)
        texts = (row[place] for place in self._texts for row in found)
        return Read(self._to_cells(found), sum(map(len, found)) - absent, texts)


class Columns:
    """An object of columns, each a list of values; an optional column may be left out."""

    def __init__(self, inputs: Sequence[Column]) -> None:
        self._inputs = inputs
        self._decode = msgspec.json.Decoder(_object(inputs, _list_type)).decode
        self._texts = _places_of_texts(inputs)

    def read(self, raw: bytes | Raw) -> Read:
        columns = msgspec.structs.astuple(self._decode(raw))
        given = [place for place, values in enumerate(columns) if values is not UNSET]
        order = [given.index(place) if place in given else None for place in range(len(columns))]
        found = list(zip(*(columns[place] for place in given), strict=True))
        texts = (cell for place in self._texts if place in given for cell in columns[place])
        return Read(to_cells(self._inputs, order)(found), len(given), texts)


def _type(column: Column) -> Any:
    return _TYPES[column.type] if column.required else _TYPES[column.type] | None


def _list_type(column: Column) -> Any:
    return list.__class_getitem__(_type(column))


def _object(inputs: Sequence[Column], type_of: Callable[[Column], Any]) -> type[msgspec.Struct]:
    # A column may have any name, a field of Python not.
    names = {f"c{place}": column.name for place, column in enumerate(inputs)}
    fields: list[Any] = [
        (field, type_of(column)) if column.required else (field, type_of(column) | UnsetType, UNSET)
        for field, column in zip(names, inputs, strict=True)
    ]
    return msgspec.defstruct("Named", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _places_of_texts(columns: Sequence[Column]) -> list[int]:
    return [place for place, column in enumerate(columns) if column.type in TEXTS]

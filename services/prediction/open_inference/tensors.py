"""Tensors of a request as rows of a table: one tensor a column by its name, or one of all columns in their order."""

import base64
import binascii
import math
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from services.contract.release import Column
from services.prediction.invalid import Invalid, refuse_if
from services.prediction.open_inference.datatypes import BYTES, DATATYPES, as_declared, decode
from services.prediction.table import Rows, column_problems, count_rows, read_table

# MLServer's codecs: what an element is says its datatype already, but for texts in Base64.
BASE64 = "base64"
CONTENT_TYPES = ("np", "pd", "str", "datetime", BASE64)


class Tensor(NamedTuple):
    """`values` are its elements in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any]


def read_tensors(content: dict[str, Any], binary: bytes, inputs: Sequence[Column], max_rows: int) -> list[Tensor]:
    """Raises Invalid for what is no list of tensors, and before reading elements of too many rows."""
    _check_content_type("parameters", content)
    found = content.get("inputs")
    if not isinstance(found, list) or not found or len(found) > len(inputs):
        raise Invalid(400, f"inputs: expected a list of 1 to {len(inputs)} tensors, found something else")
    tensors, start = [], 0
    for place, each in enumerate(found):
        where = f"inputs[{place}]"
        name, datatype, shape = _head(where, each, len(inputs), max_rows)
        size = _parameters(where, each).get("binary_data_size")
        if size is None:
            values = _listed(where, each, datatype, math.prod(shape))
        else:
            values = decode(where, datatype, _cut(where, binary, start, size), math.prod(shape))
            start += size
        tensors.append(Tensor(name, datatype, shape, _decoded(where, each, datatype, values)))
    if start != len(binary):
        raise Invalid(400, f"expected {start} bytes behind the JSON, found {len(binary)}")
    return tensors


def read_rows(tensors: Sequence[Tensor], inputs: Sequence[Column]) -> Rows:
    """Raises Invalid for names that are none of the inputs', and for shapes that do not fit together."""
    names = [column.name for column in inputs]
    if len(tensors) == 1 and tensors[0].name not in names:
        return _of_all_columns(tensors[0], inputs)
    for place, tensor in enumerate(tensors):
        if tensor.name not in names:
            expected = f"expected a tensor named as an input of the model: {', '.join(names)}"
            raise Invalid(400, f"inputs[{place}]: {expected}, found another name")
        if len(tensor.shape) > 1 and tensor.shape[1] != 1:
            raise Invalid(400, f"inputs[{place}]: expected the shape [rows] or [rows, 1], found another")
    refuse_if(column_problems([tensor.name for tensor in tensors], inputs))
    if len({tensor.shape[0] for tensor in tensors}) != 1:
        raise Invalid(400, "inputs: expected tensors of equally many rows, found different shapes")
    columns = {column.name: column for column in inputs}
    values = [_missing_is_null(tensor.values, columns[tensor.name]) for tensor in tensors]
    return read_table([tensor.name for tensor in tensors], list(zip(*values, strict=True)), inputs)


def _of_all_columns(tensor: Tensor, inputs: Sequence[Column]) -> Rows:
    width = tensor.shape[1] if len(tensor.shape) > 1 else 1
    if width != len(inputs):
        names = ", ".join(column.name for column in inputs)
        raise Invalid(400, f"inputs[0]: expected the name of a column, or the shape [rows, {len(inputs)}] of {names}")
    columns = [_missing_is_null(tensor.values[place::width], column) for place, column in enumerate(inputs)]
    return [list(row) for row in zip(*columns, strict=True)]


def _missing_is_null(values: list[Any], column: Column) -> list[Any]:
    """A tensor of numbers has no other place for what is missing than NaN."""
    if column.required:
        return values
    return [None if value != value else value for value in values]


def _head(where: str, found: Any, most_columns: int, max_rows: int) -> tuple[str, str, tuple[int, ...]]:
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise Invalid(400, f"{where}: expected an object of name, shape, datatype and data, found something else")
    datatype, shape = found.get("datatype"), found.get("shape")
    if datatype not in DATATYPES:
        raise Invalid(400, f"{where}.datatype: expected one of {', '.join(DATATYPES)}, found another")
    if not isinstance(shape, list) or len(shape) not in (1, 2) or not all(type(size) is int for size in shape):
        raise Invalid(400, f"{where}.shape: expected [rows] or [rows, columns], found something else")
    if len(shape) == 2 and not 1 <= shape[1] <= most_columns:
        raise Invalid(400, f"{where}.shape: expected 1 to {most_columns} columns, found another number")
    count_rows(where, max(shape[0], 0), max_rows)
    return found["name"], str(datatype), tuple(shape)


def _listed(where: str, found: dict[str, Any], datatype: str, count: int) -> list[Any]:
    data = found.get("data")
    if not isinstance(data, list):
        raise Invalid(400, f"{where}.data: expected a list, found something else or none")
    flat = list(chain.from_iterable(data)) if data and all(isinstance(row, list) for row in data) else data
    if len(flat) != count:
        raise Invalid(400, f"{where}.data: expected {count} elements, as the shape says, found {len(flat)}")
    return as_declared(where, datatype, flat)


def _cut(where: str, binary: bytes, start: int, size: Any) -> bytes:
    if type(size) is not int or not 0 <= size <= len(binary) - start:
        raise Invalid(400, f"{where}: expected a binary_data_size within the bytes behind the JSON, found another")
    return binary[start : start + size]


def _decoded(where: str, found: dict[str, Any], datatype: str, values: list[Any]) -> list[Any]:
    if _check_content_type(where, found) != BASE64 or datatype != BYTES:
        return values
    try:
        return [None if text is None else base64.b64decode(text, validate=True).decode() for text in values]
    except (binascii.Error, ValueError) as error:
        raise Invalid(400, f"{where}: expected texts in Base64, found something else") from error


def _check_content_type(where: str, found: dict[str, Any]) -> Any:
    content_type = _parameters(where, found).get("content_type")
    if content_type is not None and content_type not in CONTENT_TYPES:
        raise Invalid(400, f"{where}: expected a content_type of {', '.join(CONTENT_TYPES)}, found another")
    return content_type


def _parameters(where: str, found: dict[str, Any]) -> dict[str, Any]:
    parameters = found.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise Invalid(400, f"{where}: expected parameters in an object, found something else")
    return parameters or {}

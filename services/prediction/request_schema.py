"""What OpenAPI says of a request's body: whatever it allows is answered. More is taken, which a schema cannot say, such
as columns in another order: its descriptions do."""

import re
from collections.abc import Sequence
from typing import Any

from services.contract.moments import EXAMPLES
from services.contract.release import Column

Schema = dict[str, Any]
_TYPES: dict[str, Schema] = {
    "double": {"type": "number"},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date", "example": EXAMPLES["date"]},
    "datetime": {"type": "string", "format": "date-time", "example": EXAMPLES["datetime"]},
}
_IN_CSV = {
    "double": r"(-?[0-9]{1,15}(\.[0-9]{1,15})?)", "long": r"(-?[0-9]{1,15})", "string": r"([A-Za-z0-9][A-Za-z0-9 ]*)",
    "boolean": "(true|false)", "date": "(20[0-9]{2}-0[1-9]-[12][0-8])",
    "datetime": "(20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:00Z)",
}  # fmt: skip
_ANY_ORDER = "In any order, and beside others, which are ignored."
_COLUMNS = "Lists of values, one a row and all of one length, are taken as well."


def cell(column: Column) -> Schema:
    found = _TYPES[column.type]
    return found if column.required else {"anyOf": [found, {"type": "null"}]}


def record(inputs: Sequence[Column]) -> Schema:
    required = [column.name for column in inputs if column.required]
    return {"type": "object", "properties": {column.name: cell(column) for column in inputs}, "required": required}


def forms(inputs: Sequence[Column]) -> dict[str, Schema]:
    """By the name of each form of MLflow's scoring protocol."""
    records, rows = _listed(record(inputs)), _listed(_row(inputs))
    plain = [_listed(cell(inputs[0]))] if len(inputs) == 1 else []
    any_form = {"anyOf": [records, rows, _columns(inputs), *plain]}
    return {
        "dataframe_split": _split(inputs, rows), "dataframe_records": records, "inputs": any_form, "instances": any_form
    }  # fmt: skip


def csv_table(inputs: Sequence[Column]) -> Schema:
    """As CSV is written without a quote."""
    names = [column.name for column in inputs]
    cells = [_IN_CSV[column.type] + ("" if column.required else "?") for column in inputs]
    line = ",".join(re.escape(name) for name in names)
    pattern = f"^{line}\n({','.join(cells)}\n)+$"
    return {"type": "string", "pattern": pattern, "description": f"A first line of names: {', '.join(names)}"}


def _listed(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _row(inputs: Sequence[Column]) -> Schema:
    width = len(inputs)
    return _exactly([cell(column) for column in inputs], width)


def _exactly(items: Sequence[Schema], width: int) -> Schema:
    return {"type": "array", "prefixItems": list(items), "items": False, "minItems": width, "maxItems": width}


def _split(inputs: Sequence[Column], rows: Schema) -> Schema:
    names = _exactly([{"const": column.name} for column in inputs], len(inputs)) | {"description": _ANY_ORDER}
    return {
        "type": "object",
        "properties": {"columns": names, "data": rows, "index": {"description": "It is ignored."}},
        "required": ["columns", "data"],
        "additionalProperties": False,
    }


def _columns(inputs: Sequence[Column]) -> Schema:
    found = record(inputs)
    values = {
        name: {"anyOf": [value, {"type": "array", "items": value, "minItems": 1, "maxItems": 1}]}
        for name, value in found["properties"].items()
    }
    return found | {"properties": values, "description": _COLUMNS}

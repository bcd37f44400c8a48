"""Requests for a model's columns as hypothesis makes them up: most are valid, the others wrong in any one way."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from services.contract.release import Column

FORMS = ("dataframe_split", "dataframe_records", "inputs", "instances")
_TEXTS = st.sampled_from(["", "Ideal", "größer", "a: b", "\\u003a", 'a "b"', "\n", "\x00", "😀", "__label__x", "</s>"])
_MOMENTS = ["2013-12-27", "2013-12-27T19:00:00Z", "2013-12-27 19:00:00.25+02:00", "2013-13-01", "1500-01-01", "x"]
_NUMBERS = st.one_of(
    st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6), st.sampled_from([0, -0.0, 2**53 + 1, 10**25, 1e-320, 1e308])
)
VALID: dict[str, st.SearchStrategy[Any]] = {
    "double": _NUMBERS,
    "long": st.one_of(st.integers(-(10**6), 10**6), st.sampled_from([1.0, -0.0, 2**63 - 1, -(2**63)])),
    "string": st.one_of(_TEXTS, st.text(max_size=6)),
    "boolean": st.booleans(),
    "date": st.sampled_from(_MOMENTS[:1]),
    "datetime": st.sampled_from(_MOMENTS[:3]),
}
INVALID = st.one_of(
    st.sampled_from([None, math.nan, math.inf, 2**63, 10**400, 1.5, True, "1", [], {}, [1], {"a": 1}, "\ud800"]),
    st.sampled_from(_MOMENTS),
)
PARAMS: list[Any] = [{}, None, {"predict_method": "predict_proba"}, {"k": 2}, {"threshold": 0.9}, [], "x"]


@st.composite
def bodies(draw: st.DrawFn, inputs: Sequence[Column], most_rows: int) -> bytes:
    rare = _rarely(draw)
    columns = [column for column in inputs if column.required or draw(st.booleans()) or rare()]
    if rare():
        columns = draw(st.permutations(columns))
    count = draw(st.integers(0 if rare() else 1, most_rows + 1 if rare() else 3))
    rows = [[_cell(draw, column, rare) for column in columns] for _ in range(count)]
    names = [column.name for column in columns]
    if rare():
        names, rows = _misshapen(draw, names, rows)
    form = draw(st.sampled_from(FORMS))
    content = {form: _written(draw, form, names, rows, rare)}
    if rare():
        content |= draw(st.sampled_from([{"params": draw(st.sampled_from(PARAMS))}, {"other": 1}, {"inputs": [[1]]}]))
    return _mutated(draw, _encoded(draw, content), rare)


def _rarely(draw: st.DrawFn) -> Callable[[], bool]:
    """True once in sixteen times; what a shrunk example does not need is False."""
    return lambda: draw(st.integers(0, 15)) == 15


def _cell(draw: st.DrawFn, column: Column, rare: Callable[[], bool]) -> Any:
    if not column.required and draw(st.booleans()):
        return None
    return draw(INVALID if rare() else VALID[column.type])


def _misshapen(draw: st.DrawFn, names: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    match draw(st.integers(0, 3)):
        case 0:
            return names[1:], [row[1:] for row in rows]
        case 1:
            return [*names, "other"], [[*row, {"a": 1}] for row in rows]
        case 2:
            return names * 2, [row * 2 for row in rows]
    return names, [row[: draw(st.integers(0, len(row)))] for row in rows]


def _written(draw: st.DrawFn, form: str, names: list[str], rows: list[list[Any]], rare: Callable[[], bool]) -> Any:
    if form == "dataframe_split":
        index = {"index": list(range(len(rows)))} if rare() else {}
        return {"columns": names, "data": rows} | index
    if form == "dataframe_records":
        return [dict(zip(names, row, strict=False)) for row in rows]
    match draw(st.integers(0, 3)):
        case 0:
            return [dict(zip(names, row, strict=False)) for row in rows]
        case 1:
            return {name: list(cells) for name, cells in zip(names, zip(*rows, strict=False), strict=False)}
        case 2 if len(names) == 1:
            return [cell for row in rows for cell in row]
    return rows[0] if rows and rare() else rows


def _encoded(draw: st.DrawFn, content: Any) -> bytes:
    text = json.dumps(content, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 1])))
    return text.encode(errors="surrogatepass")


def _mutated(draw: st.DrawFn, body: bytes, rare: Callable[[], bool]) -> bytes:
    if not rare():
        return body
    place = draw(st.integers(0, len(body)))
    match draw(st.integers(0, 5)):
        case 0:
            return body[:place]
        case 1:
            return body[:place] + draw(st.binary(min_size=1, max_size=2)) + body[place:]
        case 2:
            # A member twice: the last one, or one of an object within.
            start = body.rfind(b'"', 0, body.rfind(b":", 0, place) - 1)
            return body.replace(b"{", b"{" + body[max(start, 0) : place] + b",", 1)
        case 3:
            return body.replace(b"{", b'{"carat": 1, ', 2).replace(b'{"carat": 1, ', b"{", 1)
        case 4:
            return body.replace(b": ", b"\\u003a ", 1).replace(b"0", b"-0", 1)
    return body.replace(b"1", b"1.0", 1)

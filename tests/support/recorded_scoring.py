"""Records what MLflow's own scoring server answers to requests that people send: one JSON file for the unit tests.

`.venv/dev/bin/python -m tests.support.recorded_scoring` records them again: after an upgrade of MLflow, and when a
request is added here. The server runs in this process, on models that answer the rows which they were given.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.release import Column
from tests.support.paths import ROOT

RECORDED = ROOT / "tests" / "unit" / "prediction" / "mlflow_scoring.json"
JSON, CSV = "application/json", "text/csv"
MODELS: dict[str, tuple[Column, ...]] = {
    "text": (Column(name="text", type="string"),),
    "number": (Column(name="x", type="double"),),
    "whole": (Column(name="n", type="long"),),
    "flag": (Column(name="is_new", type="boolean"),),
    "diamond": (
        Column(name="carat", type="double"),
        Column(name="cut", type="string"),
        Column(name="grade", type="long"),
        Column(name="polished", type="boolean"),
    ),
    "optional": (Column(name="cut", type="string"), Column(name="depth", type="double", required=False)),
}
# A value of each type, as JSON and as CSV have it.
VALUES: dict[str, tuple[Any, str]] = {
    "text": ("hello", "hello"),
    "number": (0.5, "0.5"),
    "whole": (7, "7"),
    "flag": (True, "True"),
}
A, B = [0.3, "Ideal", 1, True], [2.0, "Fair", 2, False]
NAMES = [column.name for column in MODELS["diamond"]]


@dataclass(frozen=True)
class Request:
    """`body` is sent as it is."""

    model: str
    body: str
    content_type: str = JSON


def requests() -> Iterator[tuple[str, Request]]:
    for model, (value, text) in VALUES.items():
        for name, content in of_one_column(MODELS[model][0].name, value):
            yield f"{model}: {name}", Request(model, json.dumps(content))
        yield f"{model}: csv", Request(model, f"{MODELS[model][0].name}\n{text}\n", CSV)
    for name, (model, content) in OTHERS.items():
        yield name, Request(model, content if isinstance(content, str) else json.dumps(content))
    for name, (model, body) in TABLES.items():
        yield name, Request(model, body, CSV)
    for content_type in CONTENT_TYPES:
        yield f"content type {content_type}", Request("text", '{"inputs": ["hello"]}', content_type)
    yield "content type of CSV with charset", Request("text", "text\nhello\n", "text/csv; charset=utf-8")
    yield "content type of CSV with header", Request("text", "text\nhello\n", "text/csv; header=present")


def of_one_column(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every way to write two rows, or one."""
    for form in ("inputs", "instances"):
        yield f"{form}, a list", {form: [value, value]}
        yield f"{form}, a list of lists", {form: [[value], [value]]}
        yield f"{form}, records", {form: [{name: value}, {name: value}]}
        yield f"{form}, columns", {form: {name: [value, value]}}
        yield f"{form}, a column of lists", {form: {name: [[value], [value]]}}
        yield f"{form}, a value of each column", {form: {name: value}}
        yield f"{form}, a value", {form: value}
        yield f"{form}, nothing", {form: []}
        yield f"{form}, null", {form: [None]}
        yield f"{form}, more columns", {form: {name: [value], "more": [1]}}
        yield f"{form}, more columns of another length", {form: {name: [value], "more": [1, 2]}}
        yield f"{form}, records with more", {form: [{name: value, "more": 1}]}
    yield "records", {"dataframe_records": [{name: value}]}
    yield "records with more", {"dataframe_records": [{name: value, "more": 1}]}
    yield "records with more in one of them", {"dataframe_records": [{name: value}, {name: value, "more": "x"}]}
    yield "records, one", {"dataframe_records": {name: value}}
    yield "records, a list", {"dataframe_records": [value]}
    yield "records, a list of lists", {"dataframe_records": [[value]]}
    yield "split", {"dataframe_split": {"columns": [name], "data": [[value]]}}
    yield "split with index", {"dataframe_split": {"columns": [name], "index": [5], "data": [[value]]}}
    yield "split without columns", {"dataframe_split": {"data": [[value]]}}
    yield "split of values", {"dataframe_split": {"columns": [name], "data": [value, value]}}
    yield "split with more", {"dataframe_split": {"columns": ["more", name], "data": [[1, value]]}}
    yield "no parameters", {"inputs": [value], "params": {}}
    yield "parameters null", {"inputs": [value], "params": None}
    yield "unknown parameters", {"inputs": [value], "params": {"never_heard_of": 1}}
    yield "parameters of no object", {"inputs": [value], "params": [1]}
    yield "other fields", {"inputs": [value], "other": 1}
    yield "two forms", {"inputs": [value], "instances": [value]}


OTHERS: dict[str, tuple[str, Any]] = {
    "records in another order": (
        "diamond",
        {"dataframe_records": [dict(zip(NAMES[::-1], A[::-1], strict=True)), dict(zip(NAMES, B, strict=True))]},
    ),
    "records, more": ("diamond", {"dataframe_records": [{**dict(zip(NAMES, A, strict=True)), "more": {"x": [1]}}]}),
    "records without a column": ("diamond", {"dataframe_records": [dict(zip(NAMES[:3], A[:3], strict=True))]}),
    "split": ("diamond", {"dataframe_split": {"columns": NAMES, "data": [A, B]}}),
    "split in another order": ("diamond", {"dataframe_split": {"columns": NAMES[::-1], "data": [A[::-1]]}}),
    "split with index": ("diamond", {"dataframe_split": {"columns": NAMES, "index": ["a", "b"], "data": [A, B]}}),
    "split with more": ("diamond", {"dataframe_split": {"columns": ["more", *NAMES], "data": [[None, *A]]}}),
    "split without columns": ("diamond", {"dataframe_split": {"data": [A]}}),
    "split, a column twice": ("diamond", {"dataframe_split": {"columns": [*NAMES, "cut"], "data": [[*A, "Good"]]}}),
    "split, a column of more twice": (
        "diamond",
        {"dataframe_split": {"columns": [*NAMES, "more", "more"], "data": [[*A, 1, 2]]}},
    ),
    "split, ragged": ("diamond", {"dataframe_split": {"columns": NAMES, "data": [A, A[:2]]}}),
    "split with names": ("diamond", {"dataframe_split": {"columns": NAMES, "data": [A], "column_names": [None]}}),
    "inputs, columns": ("diamond", {"inputs": {name: [a, b] for name, a, b in zip(NAMES, A, B, strict=True)}}),
    "inputs, more columns": (
        "diamond",
        {"inputs": {**{name: [a] for name, a in zip(NAMES, A, strict=True)}, "m": [1]}},
    ),
    "inputs, records": ("diamond", {"inputs": [dict(zip(NAMES, A, strict=True)), dict(zip(NAMES, B, strict=True))]}),
    "inputs, a value of each column": ("diamond", {"inputs": dict(zip(NAMES, A, strict=True))}),
    "inputs, values and lists": ("diamond", {"inputs": {**dict(zip(NAMES, A, strict=True)), "cut": ["Ideal"]}}),
    "inputs, a value beside two": (
        "diamond",
        {"inputs": {**{name: [a, b] for name, a, b in zip(NAMES, A, B, strict=True)}, "cut": "Fair"}},
    ),
    "records, nothing": ("diamond", {"dataframe_records": []}),
    "split, nothing": ("diamond", {"dataframe_split": {"columns": NAMES, "data": []}}),
    "inputs, ragged": (
        "diamond",
        {"inputs": {**{name: [a] for name, a in zip(NAMES, A, strict=True)}, "cut": ["a", "b"]}},
    ),
    "inputs, rows": ("diamond", {"inputs": [A, B]}),
    "inputs, a row": ("diamond", {"inputs": A}),
    "instances, records": (
        "diamond",
        {"instances": [dict(zip(NAMES, A, strict=True)), dict(zip(NAMES, B, strict=True))]},
    ),
    "instances, records with more": ("diamond", {"instances": [{**dict(zip(NAMES, A, strict=True)), "more": 1}]}),
    "instances, rows": ("diamond", {"instances": [A, B]}),
    "instances, columns": ("diamond", {"instances": {name: [a, b] for name, a, b in zip(NAMES, A, B, strict=True)}}),
    "instances, a value of each column": ("diamond", {"instances": dict(zip(NAMES, A, strict=True))}),
    "whole for double": ("number", {"inputs": [1]}),
    "fraction for whole": ("whole", {"inputs": [1.5]}),
    "whole fraction for whole": ("whole", {"dataframe_records": [{"n": 1.0}]}),
    "text for double": ("number", {"dataframe_records": [{"x": "1.5"}]}),
    "inputs, text for double": ("number", {"inputs": ["1.5"]}),
    "true for double": ("number", {"inputs": [True]}),
    "number for text": ("text", {"inputs": [7]}),
    "number for text in records": ("text", {"dataframe_records": [{"text": 7}]}),
    "list for text in records": ("text", {"dataframe_records": [{"text": ["a"]}]}),
    "object for text in records": ("text", {"dataframe_records": [{"text": {"a": 1}}]}),
    "zero for flag": ("flag", {"inputs": [0]}),
    "text for flag": ("flag", {"inputs": ["False"]}),
    "null for text": ("text", {"dataframe_records": [{"text": None}]}),
    "NaN": ("number", '{"inputs": [NaN]}'),
    "infinity": ("number", '{"inputs": [Infinity]}'),
    "too large": ("number", '{"inputs": [1e999]}'),
    "a name twice": ("text", '{"inputs": ["a"], "inputs": ["b"]}'),
    "optional null": ("optional", {"dataframe_records": [{"cut": "a", "depth": None}, {"cut": "b", "depth": 1.5}]}),
    "optional absent": ("optional", {"dataframe_records": [{"cut": "a"}]}),
    "optional absent in one": ("optional", {"dataframe_records": [{"cut": "a"}, {"cut": "b", "depth": 1.5}]}),
    "optional absent in split": ("optional", {"dataframe_split": {"columns": ["cut"], "data": [["a"]]}}),
    "optional absent in inputs": ("optional", {"inputs": {"cut": ["a"]}}),
    "optional absent, a value of each column": ("optional", {"inputs": {"cut": "a"}}),
    "optional null in inputs": ("optional", {"inputs": {"cut": ["a"], "depth": [None]}}),
    "optional NaN": ("optional", '{"dataframe_records": [{"cut": "a", "depth": NaN}]}'),
    "no object": ("text", ["hello"]),
    "no JSON": ("text", "hello"),
    "no form": ("text", {}),
}
TABLES: dict[str, tuple[str, str]] = {
    "csv": ("diamond", "carat,cut,grade,polished\n0.3,Ideal,1,True\n2,Fair,2,false\n"),
    "csv in another order": ("diamond", "polished,grade,cut,carat\nTRUE,1,Ideal,0.3\n"),
    "csv with more": ("diamond", "id,carat,cut,grade,polished\n9,0.3,Ideal,1,True\n"),
    "csv with CRLF": ("diamond", "carat,cut,grade,polished\r\n0.3,Ideal,1,True\r\n"),
    "csv without a last line break": ("diamond", "carat,cut,grade,polished\n0.3,Ideal,1,True"),
    "csv without a column": ("diamond", "carat,cut,grade\n0.3,Ideal,1\n"),
    "csv without rows": ("diamond", "carat,cut,grade,polished\n"),
    "csv without anything": ("diamond", ""),
    "csv with an index of pandas": ("diamond", ",carat,cut,grade,polished\n0,0.3,Ideal,1,True\n"),
    "csv with too many fields": ("diamond", "carat,cut,grade,polished\n0.3,Ideal,1,True,9\n"),
    "csv with too few fields": ("diamond", "carat,cut,grade,polished\n0.3,Ideal,1\n"),
    "csv with a column twice": ("diamond", "carat,cut,grade,polished,cut\n0.3,Ideal,1,True,Fair\n"),
    "csv with quotes": ("text", 'text\n"hello, ""you""\nthere"\n'),
    "csv with a blank line": ("diamond", "carat,cut,grade,polished\n\n0.3,Ideal,1,True\n"),
    "csv with a byte order mark": ("text", "\ufefftext\nhello\n"),
    "csv with blanks": ("diamond", "carat,cut,grade,polished\n 0.3 , Ideal ,1 ,True\n"),
    "csv with a blank in a name": ("text", "text \nhello\n"),
    "csv of text that looks like a number": ("text", "text\n01000\n"),
    "csv of text NA": ("text", "text\nNA\n"),
    "csv of text that is empty": ("diamond", "carat,cut,grade,polished\n0.3,,1,True\n"),
    "csv of text that is quoted and empty": ("diamond", 'carat,cut,grade,polished\n0.3,"",1,True\n'),
    "csv of a fraction for whole": ("whole", "n\n1.5\n"),
    "csv of a whole fraction for whole": ("whole", "n\n1.0\n"),
    "csv of a word for double": ("number", "x\nabc\n"),
    "csv of NaN for double": ("number", "x\nnan\n"),
    "csv of infinity for double": ("number", "x\ninf\n"),
    "csv of an exponent": ("number", "x\n1e-3\n"),
    "csv of a number with underscores": ("number", "x\n3_750\n"),
    "csv of a number in another script": ("number", "x\n١٢\n"),
    "csv of a thousand with a comma": ("number", 'x\n"1,000"\n'),
    "csv of 0 for a flag": ("flag", "is_new\n0\n"),
    "csv of yes for a flag": ("flag", "is_new\nyes\n"),
    "csv of an empty optional": ("optional", "cut,depth\na,\nb,1.5\n"),
    "csv of an optional NA": ("optional", "cut,depth\na,NA\n"),
    "csv without an optional": ("optional", "cut\na\n"),
}
CONTENT_TYPES = (
    "application/json; charset=utf-8",
    "application/json;charset=UTF-8",
    "application/json; charset=latin-1",
    "application/json; format=pandas-records",
    "application/json; charset=utf-8; format=pandas-split",
    "APPLICATION/JSON",
    "text/plain",
    "application/octet-stream",
)


def record() -> dict[str, Any]:
    """What the file holds: by request its status, and the rows that the model was given; and the answers to GET."""
    from fastapi.testclient import TestClient
    from mlflow.pyfunc import scoring_server
    from mlflow.version import VERSION

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="recorded-scoring-") as folder:
        clients = {
            name: TestClient(scoring_server.init(_echo(Path(folder) / name, inputs))) for name, inputs in MODELS.items()
        }
        answers = {name: _recorded(clients[request.model], request) for name, request in requests()}
        paths = {path: clients["text"].get(path).status_code for path in ("/ping", "/health", "/version")}
    return {"mlflow": VERSION, "paths": paths, "requests": answers}


def _echo(folder: Path, inputs: tuple[Column, ...]) -> Any:
    """A model of MLflow that answers each row as it was given it, in JSON."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    # Without type hints: MLflow would take them for the signature.
    def answer(table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return [row.to_json() for _, row in table.iterrows()]

    schema = Schema([ColSpec(column.type, column.name, required=column.required) for column in inputs])
    mlflow.pyfunc.save_model(folder, python_model=answer, signature=ModelSignature(schema), pip_requirements=[])
    return mlflow.pyfunc.load_model(str(folder))


def _recorded(client: Any, request: Request) -> dict[str, Any]:
    reply = client.post("/invocations", content=request.body.encode(), headers={"Content-Type": request.content_type})
    rows = [json.loads(row) for row in reply.json()["predictions"]] if reply.status_code == 200 else None
    return {
        "model": request.model,
        "content_type": request.content_type,
        "body": request.body,
        "status": reply.status_code,
        "rows": rows,
    }


def main() -> None:
    recorded = record()
    # A request a line, so that a difference is one.
    lines = (f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in recorded["requests"].items())
    head = {key: value for key, value in recorded.items() if key != "requests"}
    text = json.dumps(head)[:-1] + ', "requests": {\n' + ",\n".join(lines) + "\n}}\n"
    RECORDED.write_text(text, encoding="utf-8")
    sys.stderr.write(f"recorded {len(recorded['requests'])} answers in {RECORDED}\n")


if __name__ == "__main__":
    main()

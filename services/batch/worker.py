"""What runs in a Python worker of an executor: the release, verified and loaded once, scores batches of Arrow.

The worker's interpreter is that of the release's own environment, so nothing here imports pyspark but to find files.
"""

import csv
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, NamedTuple

from services.contract.errors import Refused
from services.prediction.batch import json_cells
from services.prediction.batch.scorer import BatchScorer
from services.prediction.bodies.json_body import read_json
from services.prediction.invalid import Invalid
from services.prediction.predictor import load_predictor

if TYPE_CHECKING:
    import pyarrow

    Batches = Iterator[pyarrow.RecordBatch]

RELEASE = "release"
PREFLIGHT = "scored binary, rejected binary, versions string, problem string"
# Of a batch of CSV: the whole line, where it has more or fewer cells than the first one.
SPOILT = "_trackback_spoilt"
LINE = "value"
_TOLD = ("pyarrow", "numpy", "onnxruntime", "fasttext-predict", "scikit-learn", "mlflow-skinny")
_LOADED: "dict[Task, BatchScorer]" = {}
_ABSENT = object()


class Task(NamedTuple):
    """Which release answers, and which columns are kept. `cells` is how they are written, and `columns` are those of a
    text file. `folder` is None where the release came as an archive."""

    release: str
    keep: tuple[str, ...]
    cells: str
    columns: tuple[str, ...]
    folder: str | None


class Table(NamedTuple):
    """Rows of a batch; the `spoilt` ones are no rows of the table, for the reasons beside them."""

    rows: "pyarrow.RecordBatch"
    spoilt: "pyarrow.RecordBatch"
    reasons: list[str]


def preflight(task: Task, batches: "Batches") -> "Batches":
    """Of the first batch: the schemas of what comes out, or the problem that keeps all of it from being scored."""
    for batch in batches:
        found = {"scored": b"", "rejected": b"", "versions": json.dumps(_versions()), "problem": ""}
        try:
            scorer, schema = loaded(task), _table(task, batch).rows.schema
            scorer.check_schema(schema)
            found["scored"] = scorer.scored_schema(schema).serialize().to_pybytes()
            found["rejected"] = scorer.rejected_schema(schema).serialize().to_pybytes()
        except Refused as refused:
            found["problem"] = str(refused)
        yield type(batch).from_pydict({name: [value] for name, value in found.items()})
        return


def scored(task: Task, batches: "Batches") -> "Batches":
    scorer = loaded(task)
    for batch in batches:
        yield scorer.score(_table(task, batch).rows)[0]


def rejected(task: Task, batches: "Batches") -> "Batches":
    scorer = loaded(task)
    for batch in batches:
        table = _table(task, batch)
        yield scorer.score(table.rows)[1]
        if table.reasons:
            yield scorer.rejected(table.spoilt, table.reasons)


def loaded(task: Task) -> BatchScorer:
    """One session of the model a process. Raises Refused unless the release is whole and repeats its golden answers."""
    if task not in _LOADED:
        if task.folder is None:
            _leave_the_machines_packages()
        predictor = load_predictor(_folder(task), task.release)
        _LOADED[task] = BatchScorer(predictor, task.keep, _cells(task.cells))
    return _LOADED[task]


def _leave_the_machines_packages() -> None:
    """Only those that came with the release are left; it brought all that it needs."""
    sys.path[:] = [path for path in sys.path if not path.endswith(("site-packages", "dist-packages"))]


def _folder(task: Task) -> Path:
    if task.folder is not None:
        return Path(task.folder)
    from pyspark import SparkFiles

    return Path(SparkFiles.getRootDirectory()) / RELEASE


def _cells(name: str) -> Any:
    return import_module(f"services.prediction.batch.{name}_cells")


def _table(task: Task, batch: "pyarrow.RecordBatch") -> Table:
    """What Spark read, as columns of cells."""
    if LINE in batch.schema.names and task.cells == "json":
        return _of_lines(task, batch)
    if SPOILT not in batch.schema.names:
        return Table(batch, batch.slice(0, 0), [])
    lines, table = batch.column(SPOILT), batch.drop_columns([SPOILT])
    if lines.null_count == len(lines):
        return Table(table, table.slice(0, 0), [])
    widths = (len(next(csv.reader([line]))) for line in lines.drop_null().to_pylist())
    reasons = [f"expected a list of {len(task.columns)} values, found a list of {width}" for width in widths]
    return Table(table.filter(lines.is_null()), table.filter(lines.is_valid()), reasons)


def _of_lines(task: Task, batch: "pyarrow.RecordBatch") -> Table:
    rows: list[dict[str, Any]] = []
    spoilt: list[dict[str, Any]] = []
    reasons: list[str] = []
    for line in batch.column(LINE).to_pylist():
        try:
            rows.append(read_json(line.encode()))
        except Invalid as refusal:
            spoilt.append({task.columns[0]: line})
            reasons.append(str(refusal))
    return Table(_of_objects(task, batch, rows), _of_objects(task, batch, spoilt), reasons)


def _of_objects(task: Task, batch: "pyarrow.RecordBatch", rows: list[dict[str, Any]]) -> "pyarrow.RecordBatch":
    columns = [json_cells.column_of([row.get(name, _ABSENT) for row in rows], _ABSENT) for name in task.columns]
    return type(batch).from_arrays(columns, names=list(task.columns))


def _versions() -> dict[str, str]:
    found = {"python": python_version()}
    for name in _TOLD:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""What `benchmarks/serving` asks, and in which files each server finds the model."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.batch_records import Subject
from services.contract import names
from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.release import Column, Release

_V2_TYPES = {"double": "FP64", "long": "INT64", "string": "BYTES"}


@dataclass(frozen=True)
class Served:
    """A model, and where each kind of server finds it.

    `release` is ours, `logged` MLflow's folder as the run logged it, `mlflow` one that needs no JVM, `file` what the
    library itself reads.
    """

    model: str
    library: str
    runtime: str
    digest: str
    release: Path
    logged: Path
    mlflow: Path
    file: Path
    inputs: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]


def served(subject: Subject, folder: Path, for_others: bool) -> Served:
    """`folder` gets what other servers need and the release does not have."""
    import pyarrow.parquet  # here, because a question for help need not wait for it

    release, _ = open_release(subject.release, subject.digest)
    inputs = release.manifest.inputs
    table = pyarrow.parquet.read_table(subject.input)
    rows = zip(*(table.column(column.name).to_pylist() for column in inputs), strict=True)
    file = _file(subject, release, folder) if for_others else folder
    return Served(
        model=subject.model,
        library=subject.library,
        runtime=subject.runtime,
        digest=subject.digest,
        release=subject.release,
        logged=subject.mlflow_model,
        mlflow=_mlflow_of_onnx(file, inputs) if file.suffix == ".onnx" else subject.mlflow_model,
        file=file,
        inputs=inputs,
        rows=tuple(rows),
    )


def invocation(served: Served, rows: int) -> bytes:
    """The first rows in the form that MLflow's clients send."""
    split = {"columns": [column.name for column in served.inputs], "data": served.rows[:rows]}
    return json.dumps({"dataframe_split": split}, separators=(",", ":")).encode()


def inference(served: Served, rows: int) -> bytes:
    """The same rows in the Open Inference Protocol, column by column."""
    columns = zip(served.inputs, zip(*served.rows[:rows], strict=True), strict=True)
    inputs = [_tensor(column, list(cells)) for column, cells in columns]
    return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}, separators=(",", ":")).encode()


def predictions(answer: bytes) -> list[Any]:
    """Of any of the servers: numbers, or labels."""
    content = json.loads(answer)
    found: Sequence[Any] = content["predictions"] if "predictions" in content else content["outputs"][0]["data"]
    return [one["label"] if isinstance(one, dict) else one for one in found]


def _tensor(column: Column, cells: list[Any]) -> dict[str, Any]:
    tensor = {"name": column.name, "shape": [len(cells), 1], "datatype": _V2_TYPES[column.type], "data": cells}
    return {**tensor, "parameters": {"content_type": "str"}} if column.type == "string" else tensor


def _file(subject: Subject, release: Release, folder: Path) -> Path:
    """scikit-learn's as its documentation says; MLlib's as ONNX, because it has no form without a JVM.

    Raises Refused for a release that does not answer online.
    """
    if not (form := release.manifest.servable.form):
        raise Refused(f"{subject.model}: expected a form that answers online, found a release for batch only")
    folder.mkdir(parents=True, exist_ok=True)
    # These libraries take seconds to import.
    if subject.library == "sklearn":
        import joblib
        import mlflow.sklearn

        file = folder / "model.joblib"
        joblib.dump(mlflow.sklearn.load_model(str(subject.mlflow_model)), file)
    elif subject.library == "spark":
        import onnx

        file = folder / "model.onnx"
        onnx.save(_by_column(onnx.load(str(subject.release / form.file)), release.manifest.inputs), str(file))
    else:
        file = folder / "model.bin"
        shutil.copyfile(subject.release / form.file, file)
    return file


def _by_column(graph: Any, inputs: Sequence[Column]) -> Any:
    """The graph as MLflow's flavor wants it: inputs have the names of columns, an output is a column."""
    renamed = {names.graph_input(place): column.name for place, column in enumerate(inputs)}
    for given in graph.graph.input:
        given.name = renamed[given.name]
    for node in graph.graph.node:
        node.input[:] = [renamed.get(one, one) for one in node.input]
    kept = [one for one in graph.graph.output if one.name != names.GRAPH_PROBABILITIES]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    return graph


def _mlflow_of_onnx(file: Path, inputs: Sequence[Column]) -> Path:
    folder = file.with_name("mlflow-onnx")
    if not folder.exists():
        import mlflow.onnx
        import onnx
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        schema = Schema([ColSpec("string" if one.type == "string" else "double", one.name) for one in inputs])
        mlflow.onnx.save_model(
            onnx.load(str(file)), str(folder), pip_requirements=["onnxruntime"], signature=ModelSignature(inputs=schema)
        )
    return folder

"""A graph through onnxruntime: the only module that knows it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import onnxruntime

from services.contract import names
from services.contract.cells import columns_of, number, text
from services.contract.errors import Refused
from services.contract.moments import MOMENTS
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column
from services.prediction.lanes import filled, missing

_NUMBER = names.GRAPH_PREDICTION
_LABELLED = [names.GRAPH_LABEL, names.GRAPH_PROBABILITY]
_ALL_CLASSES = [*_LABELLED, names.GRAPH_PROBABILITIES]
_ONLY_FATAL = 4
_DOUBLE, _STRING = "tensor(double)", "tensor(string)"
_OUTPUTS = {
    _NUMBER: (_DOUBLE,),
    names.GRAPH_LABEL: ("tensor(int64)", _STRING),
    names.GRAPH_PROBABILITY: (_DOUBLE,),
    names.GRAPH_PROBABILITIES: (_DOUBLE,),
}
_ERRORS = onnxruntime.capi.onnxruntime_pybind11_state
_UNANSWERED = (_ERRORS.Fail, _ERRORS.InvalidArgument, _ERRORS.RuntimeException)


class OnnxModel:
    def __init__(self, session: Any, inputs: Sequence[Column]) -> None:
        known = {names.graph_input(place): place for place in range(len(inputs))}
        self._inputs = inputs
        self._session = session
        self._places = {known[given.name]: given.name for given in session.get_inputs()}
        outputs = [output.name for output in session.get_outputs()]
        self._plain = [name for name in outputs if name != names.GRAPH_PROBABILITIES]

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        """Raises ValueError for a row that the graph fails on, such as a category it does not know."""
        return _predictions(self._run(self._plain, rows), len(rows))

    def predict_plain(self, rows: Sequence[Sequence[Cell]]) -> dict[str, list[Any]]:
        """As `predict`, of the outputs as they are."""
        found = self._run(self._plain, rows)
        _check_shapes(found, len(rows))
        return {name: array.tolist() for name, array in found.items()}

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        """As `predict`; only this needs the third output, which is not copied for others."""
        found = self._run(_ALL_CLASSES, rows)
        probabilities = found.pop(names.GRAPH_PROBABILITIES)
        if probabilities.shape != (len(rows), len(classes)):
            shape = probabilities.shape
            raise Refused(f"expected {len(classes)} probabilities for each of {len(rows)} rows, found {shape}")
        plain = zip(_predictions(found, len(rows)), probabilities.tolist(), strict=True)
        return [
            answer.model_copy(update={"probabilities": dict(zip(classes, each, strict=True))})
            for answer, each in plain
            if isinstance(answer, Labelled)
        ]

    def predict_columns(self, columns: Sequence[Any]) -> Mapping[str, Any]:
        """As `predict`, of columns, which go to the graph as arrays."""
        rows = len(columns[0])
        fed = {name: _fed_at_once(columns[place], self._inputs[place]) for place, name in self._places.items()}
        filled = {name: numpy.pad(array, (0, missing(rows)), "edge") for name, array in fed.items()}
        found = {name: array[:rows] for name, array in self._fed_with(self._plain, filled).items()}
        _check_shapes(found, rows)
        return found

    def _run(self, outputs: Sequence[str], rows: Sequence[Sequence[Cell]]) -> dict[str, Any]:
        given = filled(rows)
        columns = columns_of(given, self._inputs)
        fed = {name: _fed(columns[place], self._inputs[place]) for place, name in self._places.items()}
        found = self._fed_with(outputs, fed)
        _check_lengths(found, len(given))
        return {name: array[: len(rows)] for name, array in found.items()}

    def _fed_with(self, outputs: Sequence[str], fed: Mapping[str, numpy.ndarray]) -> dict[str, Any]:
        try:
            return dict(zip(outputs, self._session.run(outputs, fed), strict=True))
        except _UNANSWERED as error:
            raise ValueError("the graph fails on these rows") from error


def _fed(cells: Sequence[Cell], column: Column) -> numpy.ndarray:
    if column.type == "string":
        texts = cells if column.required else [text(cell) for cell in cells]
        return numpy.array(texts, dtype=object)
    # NumPy makes of numbers, truth and None what `number` makes of them.
    numbers = [number(cell, column) for cell in cells] if column.type in MOMENTS else cells
    return numpy.array(numbers, dtype=numpy.float64)


def _fed_at_once(cells: Any, column: Column) -> numpy.ndarray:
    """Of an array of Arrow, what `_fed` makes of the same cells."""
    if column.type == "string":
        return numpy.asarray(cells.fill_null("").to_numpy(zero_copy_only=False))
    if column.type not in MOMENTS:
        return numpy.asarray(cells.cast("float64", safe=False).to_numpy(zero_copy_only=False))
    distinct = numpy.array([number(cell, column) for cell in (*cells.dictionary.to_pylist(), None)])
    places = cells.indices.fill_null(len(distinct) - 1).to_numpy()
    return numpy.asarray(distinct[places])


def load(file: Path, inputs: Sequence[Column]) -> OnnxModel:
    """Raises Refused for what is no graph, reads another file or has other inputs and outputs than ours."""
    session = _session(file)
    if problem := _input_problem(session, inputs) or _output_problem(session):
        raise Refused(f"{file}: {problem}: package the model again")
    return OnnxModel(session, inputs)


def _session(file: Path) -> Any:
    try:
        return onnxruntime.InferenceSession(file.read_bytes(), _options(), providers=["CPUExecutionProvider"])
    except OSError as error:
        raise Refused(f"{file}: expected an ONNX graph, cannot read it: {error.strerror}") from error
    except _ERRORS.InvalidProtobuf as error:
        raise Refused(f"{file}: expected an ONNX graph, found something else: package the model again") from error
    # A graph fails in whatever way onnxruntime happens to fail; its message may have several lines.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise Refused(f"{file}: expected a whole ONNX graph in one file, cannot load it: {reason}") from error


def _options() -> Any:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ONLY_FATAL
    # The extended ones keep a factor of a product of matrices in single precision (MatMulScaleFusion).
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # A graph may keep weights in other files, by default anywhere below the working directory. Here is no file.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    return options


def _input_problem(session: Any, inputs: Sequence[Column]) -> str | None:
    kinds = {
        names.graph_input(place): _STRING if column.type == "string" else _DOUBLE for place, column in enumerate(inputs)
    }
    for given in session.get_inputs():
        if (expected := kinds.get(given.name)) is None:
            return f"expected inputs {', '.join(kinds)}, found '{given.name}'"
        if given.type != expected or len(given.shape) != 1:
            return f"{given.name}: expected {expected} of shape (rows,), found {given.type} of {given.shape}"
    return None


def _output_problem(session: Any) -> str | None:
    found = {output.name: output.type for output in session.get_outputs()}
    if sorted(found) not in ([_NUMBER], _LABELLED, sorted(_ALL_CLASSES)):
        return f"expected outputs {_NUMBER}, or {', '.join(_ALL_CLASSES)}, found {', '.join(found)}"
    wrong = [f"{name} {kind}" for name, kind in found.items() if kind not in _OUTPUTS[name]]
    return f"expected numbers in double precision, and labels, found {', '.join(wrong)}" if wrong else None


def _check_lengths(found: Mapping[str, Any], rows: int) -> None:
    for name, array in found.items():
        if array.shape[:1] != (rows,):
            raise Refused(f"expected an output '{name}' of {rows} rows, found an array of {array.shape}")


def _check_shapes(found: Mapping[str, Any], rows: int) -> None:
    for name, array in found.items():
        if array.shape != (rows,):
            raise Refused(f"expected an output '{name}' of {rows} rows, found an array of {array.shape}")


def _predictions(found: dict[str, Any], rows: int) -> list[Prediction]:
    _check_shapes(found, rows)
    if _NUMBER in found:
        return list(found[_NUMBER].tolist())
    answers = zip(*(found[name].tolist() for name in _LABELLED), strict=True)
    return [Labelled(label=label, probability=probability) for label, probability in answers]

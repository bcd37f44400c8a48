"""A small model of each runtime behind a release of the factory, without files of its own where it needs none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import pandas
from onnx import TensorProto, helper

from services.contract.release import Column, Form, Release, ServingLimits
from services.contract.task import Task
from services.prediction.predictor import Predictor, load_predictor
from services.prediction.runtimes import Model
from services.prediction.runtimes import onnx as onnx_runtime
from services.prediction.runtimes.fasttext import FastTextModel
from services.prediction.runtimes.pyfunc import PyfuncModel
from tests.support.release_factory import INPUTS, ReleasePlan, build_release

LIMITS = ServingLimits(max_rows=6, max_bytes=100_000)
EVERY_TYPE = tuple(
    Column(name=f"{type_}{'' if required else '?'}", type=type_, required=required)
    for type_ in ("double", "long", "string", "boolean", "date", "datetime")
    for required in (True, False)
)
TEXT = (Column(name="text", type="string"),)


def every_runtime(folder: Path) -> dict[str, Predictor]:
    release = build_release(folder, ReleasePlan(limits=LIMITS))
    sklearn = load_predictor(folder / "releases" / release.digest, release.digest)
    return {
        "sklearn": sklearn,
        "onnx": serving(sklearn, _numbers(folder), EVERY_TYPE),
        "onnx, labels": serving(sklearn, _labels(folder), INPUTS, "classification"),
        "fasttext": serving(sklearn, FastTextModel(_Words()), TEXT, "classification"),
        "pyfunc": serving(sklearn, PyfuncModel(_Sums(), EVERY_TYPE), EVERY_TYPE),
        "pyfunc, optional text": serving(sklearn, PyfuncModel(_Lengths(), EVERY_TYPE[5:6]), EVERY_TYPE[5:6]),
    }


def serving(
    other: Predictor, model: Model, inputs: Sequence[Column], task: Task = "regression", limits: ServingLimits = LIMITS
) -> Predictor:
    """The release of `other`, of which another model answers."""
    manifest = other.manifest.model_copy(update={"inputs": tuple(inputs), "task": task, "limits": limits})
    form = Form(runtime="sklearn", file="none", tolerance=0.0)
    return Predictor(Release(digest=other.release.digest, manifest=manifest), form, model)


class _Sums:
    """Of a table, each row's numbers; it cannot take the category `größer`."""

    def predict(self, table: pandas.DataFrame) -> Any:
        if (table["string"] == "größer").any():
            raise ValueError("an unknown category")
        return table.select_dtypes("number").fillna(-1).sum(axis="columns")


class _Lengths:
    def predict(self, table: pandas.DataFrame) -> Any:
        lengths = table.iloc[:, 0].fillna("missing").str.len()
        return pandas.DataFrame({"label": lengths % 2, "probability": 1 / (1 + lengths)})


class _Words:
    """Stands in for fastText's module: to train a model takes seconds, and its start is random."""

    def predict(self, line: str, k: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
        if "Ideal" in line:
            raise RuntimeError("Encountered NaN.")
        if not line:
            return (), ()
        even = len(line.encode()) % 2 == 0
        ranked = ("__label__even", 1.00001) if even else ("__label__odd", 1 / len(line))
        return (ranked[0], "__label__other")[:k], (ranked[1], 1e-5)[:k]


def _numbers(folder: Path) -> Model:
    """The sum of what each input comes to: NaN where only an infinite one is left."""
    nodes, terms = [], []
    for place, column in enumerate(EVERY_TYPE):
        terms.append(f"term_{place}")
        if column.type == "string":
            nodes.append(_lookup(f"input_{place}", terms[-1]))
        elif column.required:
            nodes.append(helper.make_node("Identity", [f"input_{place}"], [terms[-1]]))
        else:
            nodes.append(helper.make_node("IsNaN", [f"input_{place}"], [f"missing_{place}"]))
            nodes.append(helper.make_node("Where", [f"missing_{place}", "other", f"input_{place}"], [terms[-1]]))
    nodes.append(helper.make_node("Sum", terms, ["prediction"]))
    return _graph(folder / "numbers.onnx", nodes, EVERY_TYPE, {"prediction": TensorProto.DOUBLE})


def _labels(folder: Path) -> Model:
    """The cut as it is, and the carat as its probability, which may be below 0."""
    nodes = [
        helper.make_node("Identity", ["input_1"], ["label"]),
        helper.make_node("Identity", ["input_0"], ["probability"]),
    ]
    outputs = {"label": TensorProto.STRING, "probability": TensorProto.DOUBLE}
    return _graph(folder / "labels.onnx", nodes, INPUTS, outputs)


def _lookup(given: str, term: str) -> onnx.NodeProto:
    attributes: dict[str, Any] = {"keys_strings": ["Ideal", "größer"], "values_tensor": _doubles("values", [3.0, 5.0])}
    default = _doubles("default", [7.0])
    return helper.make_node("LabelEncoder", [given], [term], domain="ai.onnx.ml", default_tensor=default, **attributes)


def _doubles(name: str, values: Sequence[float]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)


def _graph(file: Path, nodes: Sequence[onnx.NodeProto], inputs: Sequence[Column], outputs: Mapping[str, int]) -> Model:
    given = [
        helper.make_tensor_value_info(
            f"input_{place}", TensorProto.STRING if column.type == "string" else TensorProto.DOUBLE, ["rows"]
        )
        for place, column in enumerate(inputs)
    ]
    answered = [helper.make_tensor_value_info(name, kind, ["rows"]) for name, kind in outputs.items()]
    graph = helper.make_graph(list(nodes), "made up", given, answered, [_doubles("other", [-9.0])])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    file.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return onnx_runtime.load(file, inputs)

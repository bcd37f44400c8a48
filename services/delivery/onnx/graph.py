"""An ONNX graph while it is written: nodes, constants and the inputs of a model, in double precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
import onnx
from onnx import TensorProto, helper

from services.contract import names
from services.contract.release import Column

_OPSETS = (helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5))
_IR_VERSION = 10
NUMBER_OUTPUTS: dict[str, int] = {names.GRAPH_PREDICTION: TensorProto.DOUBLE}


@dataclass
class Graph:
    """`inputs` are the columns of model.yaml in order; `nodes` and `constants` are what is written so far.

    A graph's input for a column is named by `names.graph_input`, has the shape (rows,), and is a string or a double.
    """

    inputs: Sequence[Column]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, numpy.ndarray] = field(default_factory=dict)
    _classes: int = 0

    def add(self, operator: str, *given: str, output: str | None = None, **attributes: Any) -> str:
        """The name of the new node's output, made up when none is asked for."""
        output = output or f"_{len(self.nodes)}_{operator}"
        self.nodes.append(helper.make_node(operator, given, [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        """The name of a tensor with this value."""
        name = f"_constant_{len(self.constants)}"
        self.constants[name] = numpy.asarray(value)
        return name

    def column(self, place: int) -> str:
        """The input of a column as a tensor of shape (rows, 1)."""
        return self.add("Unsqueeze", names.graph_input(place), self.constant([1]))

    def answer_all(self, probabilities: str, classes: int) -> None:
        """Makes a tensor of shape (rows, classes) the output that has the probabilities of all classes."""
        self.add("Identity", probabilities, output=names.GRAPH_PROBABILITIES)
        self._classes = classes

    def write(self, outputs: Mapping[str, int]) -> bytes:
        """A checked model; each output has the shape (rows,), `outputs` are the element types by name. Beside them is
        what `answer_all` was given.

        Raises onnx.checker.ValidationError for a graph that breaks the specification.
        """
        graph = helper.make_graph(
            self.nodes,
            "trackback",
            [_value(names.graph_input(place), _element(column)) for place, column in enumerate(self.inputs)],
            [*(_value(name, element) for name, element in outputs.items()), *self._all_classes()],
            [onnx.numpy_helper.from_array(array, name) for name, array in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    def _all_classes(self) -> list[onnx.ValueInfoProto]:
        shape = ("rows", self._classes)
        value = helper.make_tensor_value_info(names.GRAPH_PROBABILITIES, TensorProto.DOUBLE, shape)
        return [value] if self._classes else []


def label_outputs(label: int) -> dict[str, int]:
    """Of a classifier; `label` is the element type of its labels."""
    return {names.GRAPH_LABEL: label, names.GRAPH_PROBABILITY: TensorProto.DOUBLE}


def _value(name: str, element: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, ["rows"])


def _element(column: Column) -> int:
    return int(TensorProto.STRING if column.type == "string" else TensorProto.DOUBLE)

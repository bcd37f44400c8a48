"""A graph while the stages of a Spark pipeline are written into it, one after another."""

from dataclasses import dataclass, field

from onnx import TensorProto

from services.contract.errors import Refused
from services.delivery.onnx.graph import Graph
from services.delivery.onnx.spark_stage import Stage


@dataclass
class StageGraph(Graph):
    """`written` are Spark's columns so far, each a tensor of shape (rows, width), double but for strings.

    `unfilled` are those of them that may be NaN, `unanswerable` tensors of shape (rows, 1) that are true for a row that
    Spark would refuse.
    """

    written: dict[str, str] = field(default_factory=dict)
    unfilled: set[str] = field(default_factory=set)
    unanswerable: list[str] = field(default_factory=list)

    def named(self, name: str) -> str:
        """The tensor of a column. Raises Refused for one that is neither an input nor given by an earlier stage."""
        if name not in self.written:
            place = next((place for place, column in enumerate(self.inputs) if column.name == name), None)
            if place is None:
                raise Refused(f"expected stages that read inputs or one another, found one that reads '{name}'")
            self.written[name] = self.column(place)
            if not self.inputs[place].required:
                self.unfilled.add(name)
        return self.written[name]

    def type_of(self, name: str) -> str:
        return next((column.type for column in self.inputs if column.name == name), "double")

    def put(self, output: str, tensor: str, *sources: str) -> None:
        """`sources` are the columns that it was made from, whose missing numbers are missing in it."""
        self.written[output] = tensor
        if self.unfilled.intersection(sources):
            self.unfilled.add(output)

    def features(self, stage: Stage) -> str:
        """What a predictor reads. Raises Refused where thresholds would decide its label."""
        if stage.parameters.get("thresholds"):
            raise Refused(f"expected {stage.kind} without thresholds, found {stage.parameters['thresholds']}")
        return self.named(stage.parameters["featuresCol"])

    def any_of(self, flags: str) -> str:
        """Of shape (rows, 1): whether one of (rows, width) is true."""
        count = self.add("Cast", flags, to=TensorProto.INT64)
        return self.add("Cast", self.add("ReduceMax", count, self.constant([1])), to=TensorProto.BOOL)

    def or_no_number(self, value: str) -> str:
        """`value` of shape (rows, any), and NaN, which the service gives nobody, where Spark has no answer."""
        for refused in self.unanswerable:
            value = self.add("Where", refused, self.constant(float("nan")), value)
        return value

"""A release of a graph that answers 4000 × carat + grade, so that asking costs next to nothing."""

from pathlib import Path

import numpy
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline

from services.contract import names
from services.contract.release import Form, Release, Servable, ServingLimits
from services.contract.rollout_plan import RolloutPlan
from tests.support.release_factory import ReleasePlan, build_release

PRICE = 4000.0
_FILE = "servable/model.onnx"


def build_graph_release(
    store: Path, limits: ServingLimits, number: int = 1, rollout: RolloutPlan = ReleasePlan.rollout
) -> Release:
    plan = ReleasePlan(
        number=number,
        limits=limits,
        rollout=rollout,
        estimator=_estimator(),
        servable=Servable(form=Form(runtime="onnx", file=_FILE, tolerance=1e-9), notes=()),
        spoil=_add_graph,
    )
    return build_release(store, plan)


def _estimator() -> Pipeline:
    rows = numpy.array([[0.3, "Ideal", 1], [0.7, "Fair", 2], [1.5, "Good", 1], [0.2, "Fair", 3]], dtype=object)
    numbers = make_column_transformer(("passthrough", [0, 2]))
    return make_pipeline(numbers, LinearRegression()).fit(rows, [PRICE * carat + grade for carat, _, grade in rows])


def _add_graph(folder: Path) -> None:
    carat, grade = names.graph_input(0), names.graph_input(2)
    given = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows"]) for name in (carat, grade)]
    answered = [helper.make_tensor_value_info(names.GRAPH_PREDICTION, TensorProto.DOUBLE, ["rows"])]
    price = helper.make_tensor("price", TensorProto.DOUBLE, [], [PRICE])
    nodes = [
        helper.make_node("Mul", [carat, "price"], ["priced"]),
        helper.make_node("Add", ["priced", grade], [names.GRAPH_PREDICTION]),
    ]
    graph = helper.make_graph(nodes, "price", given, answered, [price])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 4)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    (folder / _FILE).parent.mkdir()
    (folder / _FILE).write_bytes(model.SerializeToString())

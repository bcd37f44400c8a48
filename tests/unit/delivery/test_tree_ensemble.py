"""Trees as an ONNX node: onnxruntime must answer what a plain walk down the trees gives."""

import math
import random
from collections.abc import Sequence

import numpy
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from services.contract.errors import Refused
from services.contract.release import Column
from services.delivery.onnx.graph import NUMBER_OUTPUTS, Graph
from services.delivery.onnx.tree_ensemble import Branch, GrownTree, Leaf, Node, tree_ensemble

COLUMNS = 3
CELLS = (math.nan, 1e9, -1e9, 0.0, -0.0, 0.5, math.inf)


def walk(tree: Node, row: Sequence[float]) -> float:
    while isinstance(tree, Branch):
        x = row[tree.feature]
        inside = x <= tree.threshold if tree.members is None else x in tree.members
        tree = tree.true if (tree.missing_true if math.isnan(x) else inside) else tree.false
    return tree.value


def graph(trees: Sequence[Node | GrownTree], columns: int = COLUMNS) -> bytes:
    written = Graph([Column(name=f"column_{place}", type="double") for place in range(columns)])
    features = written.add("Concat", *(written.column(place) for place in range(columns)), axis=1)
    written.nodes.append(tree_ensemble(trees, features, "sum"))
    written.add("Squeeze", "sum", written.constant([1]), output="prediction")
    return written.write(NUMBER_OUTPUTS)


def answers(trees: Sequence[Node | GrownTree], rows: Sequence[Sequence[float]]) -> list[float]:
    session = onnxruntime.InferenceSession(graph(trees, len(rows[0])))
    columns = enumerate(zip(*rows, strict=True))
    return list(session.run(None, {f"input_{place}": numpy.array(cells) for place, cells in columns})[0])


def grown(dice: random.Random, depth: int, share_of_sets: float) -> Node:
    if depth == 0 or dice.random() < 0.15:
        return Leaf(dice.uniform(-1, 1))
    members = None
    if dice.random() < share_of_sets:
        members = tuple(float(value) for value in dice.sample(range(130), dice.randint(1, 60)))
    true, false = (grown(dice, depth - 1, share_of_sets) for _ in range(2))
    return Branch(
        dice.randrange(COLUMNS), dice.choice([0.0, 5.0, -3.0, 40.5]), true, false, dice.random() < 0.5, members
    )


@pytest.mark.parametrize("share_of_sets", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_forest_answers_what_a_walk_down_its_trees_gives(seed: int, share_of_sets: float) -> None:
    dice = random.Random(seed)
    trees = [grown(dice, dice.randint(0, 7), share_of_sets) for _ in range(30)]
    odd = CELLS if share_of_sets == 0 else tuple(cell for cell in CELLS if cell != 0.5)
    rows = [[dice.choice([float(dice.randint(-2, 135)), *odd]) for _ in range(COLUMNS)] for _ in range(300)]
    assert answers(trees, rows) == pytest.approx([sum(walk(tree, row) for tree in trees) for row in rows], abs=1e-12)


def test_a_threshold_is_kept_to_the_last_bit() -> None:
    third = 1 / 3
    above = math.nextafter(third, 1)
    tree = Branch(0, third, Leaf(third), Leaf(above))
    assert answers([tree], [[third], [above]]) == [third, above]


def test_a_tree_of_one_leaf_counts_as_well() -> None:
    assert answers([Leaf(0.25), Branch(0, 1.0, Leaf(1.0), Leaf(2.0)), Leaf(-1.0)], [[0.0], [3.0]]) == [0.25, 1.25]


@pytest.mark.parametrize(("missing_true", "expected"), [(True, 1.0), (False, 2.0)])
@pytest.mark.parametrize("members", [None, (0.0, 2.0)])
def test_a_missing_value_goes_where_the_branch_says(
    members: tuple[float, ...] | None, missing_true: bool, expected: float
) -> None:
    assert answers([Branch(0, 1.0, Leaf(1.0), Leaf(2.0), missing_true, members)], [[math.nan]]) == [expected]


def test_a_tree_may_be_deeper_than_pythons_stack() -> None:
    tree: Node = Leaf(-1.0)
    for step in range(3000):
        tree = Branch(0, float(-step), Leaf(float(step)), tree)
    assert answers([tree], [[-1500.0], [-2999.0], [5.0]]) == [1500.0, 2999.0, -1.0]


def test_a_whole_tree_is_the_same_as_its_nodes_one_by_one() -> None:
    arrays = [[0, -2, 1, -2, -2], [0.5, 0, -1.0, 0, 0], [1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0, 0, 1, 0, 0]]
    whole = GrownTree(*map(numpy.array, [*arrays, [0, 1.5, 0, 2.5, 3.5]]))
    nodes = Branch(0, 0.5, Leaf(1.5), Branch(1, -1.0, Leaf(2.5), Leaf(3.5), missing_true=True))
    rows = [[0.5, 0], [0.6, -1.0], [0.6, 0], [math.nan, math.nan], [0.6, math.nan]]
    expected = [walk(nodes, row) for row in rows]
    assert expected == [1.5, 2.5, 3.5, 2.5, 2.5]
    assert answers([whole], rows) == expected
    assert answers([nodes, whole, Leaf(1.0)], rows) == [2 * value + 1 for value in expected]


def test_each_tree_adds_to_the_sum_that_it_is_for() -> None:
    written = Graph([Column(name="x", type="double")])
    trees: list[Node] = [Leaf(1.0), Branch(0, 0.0, Leaf(10.0), Leaf(20.0)), Leaf(4.0)]
    written.nodes.append(tree_ensemble(trees, written.column(0), "sums", [1, 0, 1]))
    weighted = written.add("Mul", "sums", written.constant([[1.0, 100.0]]))
    written.add("ReduceSum", weighted, written.constant([1]), output="prediction", keepdims=0)
    session = onnxruntime.InferenceSession(written.write(NUMBER_OUTPUTS))
    assert session.run(None, {"input_0": numpy.array([-1.0, 1.0])})[0].tolist() == [510.0, 520.0]


def test_no_tree_at_all_is_refused() -> None:
    with pytest.raises(Refused, match="expected a model of trees, found one without any"):
        tree_ensemble([], "features", "sum")


def test_a_graph_names_its_inputs_by_their_place_and_type() -> None:
    columns = [Column(name="cut", type="string"), Column(name="grade", type="long")]
    written = Graph(columns)
    written.add("Identity", "input_1", output="prediction")
    model = onnx.load_from_string(written.write(NUMBER_OUTPUTS))
    found = [(given.name, given.type.tensor_type.elem_type) for given in model.graph.input]
    assert found == [("input_0", TensorProto.STRING), ("input_1", TensorProto.DOUBLE)]


def test_a_graph_that_breaks_the_specification_is_not_written() -> None:
    written = Graph([])
    written.add("Identity", "nowhere", output="prediction")
    with pytest.raises(onnx.checker.ValidationError, match="nowhere"):
        written.write(NUMBER_OUTPUTS)

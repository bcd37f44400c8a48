"""The saved trees of a Spark model, as trees of ONNX nodes."""

from collections.abc import Callable, Sequence
from typing import Any

from services.delivery.onnx.spark_stage import Stage
from services.delivery.onnx.tree_ensemble import Branch, Leaf, Node


def weighted_trees(stage: Stage) -> list[Node]:
    """Of boosted trees: their sum is the margin of a classifier, the answer of a regression."""
    weights = {row["_1"]: row["_3"] for row in stage.rows("treesMetadata")}

    def weighted(tree: int) -> Callable[[dict[str, Any]], float]:
        return lambda node: float(weights[tree] * node["prediction"])

    return [_tree(nodes, weighted(tree)) for tree, nodes in _forest(stage).items()]


def number_trees(stage: Stage) -> list[Node]:
    """Of a regression: each leaf has the tree's own answer."""
    return [_tree(nodes, lambda node: float(node["prediction"])) for nodes in _forest(stage).values()]


def label_trees(stage: Stage, whole: Callable[[Sequence[float]], float]) -> list[list[Node]]:
    """For each label as many trees as the model has: a leaf has the label's count, divided by `whole` of all counts."""
    forest = _forest(stage)
    labels = len(next(iter(forest.values()))[0]["impurityStats"])

    def share(label: int) -> Callable[[dict[str, Any]], float]:
        return lambda node: float(node["impurityStats"][label] / whole(node["impurityStats"]))

    return [[_tree(nodes, share(label)) for nodes in forest.values()] for label in range(labels)]


def _forest(stage: Stage) -> dict[int, dict[int, dict[str, Any]]]:
    """The saved nodes by tree and number; those of a model of one tree have no tree named."""
    forest: dict[int, dict[int, dict[str, Any]]] = {}
    for row in stage.rows():
        node = row.get("nodeData", row)
        forest.setdefault(row.get("treeID", 0), {})[node["id"]] = node
    return dict(sorted(forest.items()))


def _tree(nodes: dict[int, dict[str, Any]], value: Callable[[dict[str, Any]], float], root: int = 0) -> Node:
    """Spark lets a tree be no deeper than 30."""
    node, split = nodes[root], nodes[root]["split"]
    if node["leftChild"] < 0:
        return Leaf(value(node))
    left, right = (_tree(nodes, value, node[side]) for side in ("leftChild", "rightChild"))
    feature, cut = split["featureIndex"], split["leftCategoriesOrThreshold"]
    if split["numCategories"] < 0:
        return Branch(feature, cut[0], left, right)
    # Spark keeps the smaller half, and what is in neither goes the other way: see CategoricalSplit.
    if len(cut) <= split["numCategories"] // 2:
        return Branch(feature, 0.0, left, right, members=tuple(cut))
    others = set(map(float, range(split["numCategories"]))) - set(cut)
    return Branch(feature, 0.0, right, left, members=tuple(sorted(others)))

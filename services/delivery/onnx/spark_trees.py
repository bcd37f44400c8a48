"""The saved trees of a Spark classifier, as trees of one ONNX node."""

from collections.abc import Callable
from typing import Any

from services.contract.errors import Refused
from services.delivery.onnx.spark_stage import Stage
from services.delivery.onnx.tree_ensemble import Branch, Leaf, Node


def boosted_trees(stage: Stage) -> list[Node]:
    """Their sum is the margin."""
    weights = {row["_1"]: row["_3"] for row in stage.rows("treesMetadata")}

    def weighted(tree: int) -> Callable[[dict[str, Any]], float]:
        return lambda node: float(weights[tree] * node["prediction"])

    return [_tree(nodes, weighted(tree)) for tree, nodes in _forest(stage).items()]


def voting_trees(stage: Stage) -> list[Node]:
    """Of a random forest: their sum is the probability of 1. Raises Refused for more labels than 0 and 1."""
    forest = _forest(stage)
    return [_tree(nodes, lambda node: _share_of_ones(node) / len(forest)) for nodes in forest.values()]


def _share_of_ones(node: dict[str, Any]) -> float:
    counts = node["impurityStats"]
    if len(counts) != 2:
        raise Refused(f"expected a RandomForest of two labels, found one of {len(counts)}")
    return float(counts[1] / sum(counts))


def _forest(stage: Stage) -> dict[int, dict[int, dict[str, Any]]]:
    """The saved nodes by tree and number."""
    forest: dict[int, dict[int, dict[str, Any]]] = {}
    for row in stage.rows():
        forest.setdefault(row["treeID"], {})[row["nodeData"]["id"]] = row["nodeData"]
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

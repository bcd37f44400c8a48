"""Decision trees as one ONNX node in double precision, whichever library grew them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy
import onnx
from onnx import TensorProto, helper

from services.contract.errors import Refused

# Numbers of modes and of the sum in the specification of TreeEnsemble:
# https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
_LEQ, _MEMBER = 0, 6
_SUM = 1


@dataclass(frozen=True)
class Leaf:
    """`value` has the weight of its tree in it."""

    value: float


@dataclass(frozen=True)
class Branch:
    """`true` is taken when x <= threshold; with `members`, when x is one of them; with `missing_true`, when x is NaN.

    Members are whole numbers, at least one, and so is every x they are asked of: onnxruntime 1.31 cuts off a fraction.
    """

    feature: int
    threshold: float
    true: "Node"
    false: "Node"
    missing_true: bool = False
    members: tuple[float, ...] | None = None


Node = Leaf | Branch


@dataclass(frozen=True)
class GrownTree:
    """A whole tree of scikit-learn's as arrays with a cell a node, the root first.

    `left` is taken when x <= threshold, and when x is NaN and `missing_left`; it is below 0 at a leaf.
    """

    feature: numpy.ndarray
    threshold: numpy.ndarray
    left: numpy.ndarray
    right: numpy.ndarray
    missing_left: numpy.ndarray
    value: numpy.ndarray


@dataclass
class _Place:
    """Of a node in the tables; `leaf` says in which of them."""

    index: int
    leaf: bool


@dataclass
class _Tables:
    """The attributes of a TreeEnsemble: one line a branch, then one line a leaf."""

    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    missing_true: list[int] = field(default_factory=list)
    members: list[float] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    true: list[int] = field(default_factory=list)
    true_leaves: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    false_leaves: list[int] = field(default_factory=list)

    def add(self, tree: Node | GrownTree, target: int) -> int:
        """The index of the tree's root; a tree of one leaf gets a branch whose sides are both that leaf."""
        if isinstance(tree, GrownTree):
            if tree.left[0] >= 0:
                return self._grown(tree, target)
            tree = Leaf(float(tree.value[0]))
        root = tree if isinstance(tree, Branch) else Branch(0, 0.0, tree, tree)
        index = self._branch(root)
        # A stack of our own, because a boosted tree may be deeper than Python's.
        waiting = [(index, root)]
        while waiting:
            at, branch = waiting.pop()
            true, false = self._child(branch.true, target), self._child(branch.false, target)
            self.true[at], self.true_leaves[at] = true.index, true.leaf
            self.false[at], self.false_leaves[at] = false.index, false.leaf
            sides = ((false, branch.false), (true, branch.true))
            waiting += [(place.index, node) for place, node in sides if isinstance(node, Branch)]
        return index

    def _grown(self, tree: GrownTree, target: int) -> int:
        """All nodes at once, because a forest may have millions."""
        root, leaf = len(self.features), tree.left < 0
        inner = ~leaf
        place = numpy.where(leaf, numpy.cumsum(leaf) - 1 + len(self.leaves), numpy.cumsum(inner) - 1 + root)
        left, right = tree.left[inner], tree.right[inner]
        self.features += tree.feature[inner].tolist()
        self.splits += tree.threshold[inner].tolist()
        self.modes += [_LEQ] * len(left)
        self.missing_true += tree.missing_left[inner].astype(int).tolist()
        self.true += place[left].tolist()
        self.true_leaves += leaf[left].tolist()
        self.false += place[right].tolist()
        self.false_leaves += leaf[right].tolist()
        self.leaves += tree.value[leaf].tolist()
        self.targets += [target] * int(leaf.sum())
        return root

    def _branch(self, branch: Branch) -> int:
        self.features.append(branch.feature)
        self.splits.append(branch.threshold)
        self.modes.append(_LEQ if branch.members is None else _MEMBER)
        self.missing_true.append(int(branch.missing_true))
        if branch.members is not None:
            # The sets stand one after another in the order of branches, each closed by NaN.
            self.members += [*branch.members, math.nan]
        for column in (self.true, self.true_leaves, self.false, self.false_leaves):
            column.append(-1)
        return len(self.features) - 1

    def _child(self, node: Node, target: int) -> _Place:
        if isinstance(node, Branch):
            return _Place(self._branch(node), leaf=False)
        self.leaves.append(node.value)
        self.targets.append(target)
        return _Place(len(self.leaves) - 1, leaf=True)


def tree_ensemble(
    trees: Sequence[Node | GrownTree], features: str, output: str, targets: Sequence[int] | None = None
) -> onnx.NodeProto:
    """Sums over trees, double of shape (rows, sums), of `features`, double of shape (rows, columns).

    `targets` has for each tree the sum that it adds to; there is one sum when it is left out.
    """
    if not trees:
        raise Refused("expected a model of trees, found one without any")
    tables, targets = _Tables(), targets or [0] * len(trees)
    roots = [tables.add(tree, target) for tree, target in zip(trees, targets, strict=True)]
    return helper.make_node(
        "TreeEnsemble",
        [features],
        [output],
        domain="ai.onnx.ml",
        n_targets=max(targets) + 1,
        aggregate_function=_SUM,
        post_transform=0,
        tree_roots=roots,
        nodes_featureids=tables.features,
        nodes_splits=_doubles("splits", tables.splits),
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(tables.modes)], tables.modes),
        nodes_truenodeids=tables.true,
        nodes_trueleafs=list(map(int, tables.true_leaves)),
        nodes_falsenodeids=tables.false,
        nodes_falseleafs=list(map(int, tables.false_leaves)),
        nodes_missing_value_tracks_true=tables.missing_true,
        leaf_targetids=tables.targets,
        leaf_weights=_doubles("weights", tables.leaves),
        **({"membership_values": _doubles("members", tables.members)} if tables.members else {}),
    )


def _doubles(name: str, values: Sequence[float]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)

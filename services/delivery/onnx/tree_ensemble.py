"""Decision trees as one ONNX node in double precision, whichever library grew them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass
class _Place:
    """Of a node in the tables; `leaf` says in which of them."""

    index: int
    leaf: bool


@dataclass
class _Tables:
    """The attributes of a TreeEnsemble: one line a branch, then one line a leaf."""

    branches: list[Branch] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    true: list[_Place] = field(default_factory=list)
    false: list[_Place] = field(default_factory=list)

    def add(self, tree: Node) -> int:
        """The index of the tree's root; a tree of one leaf gets a branch whose sides are both that leaf."""
        root = tree if isinstance(tree, Branch) else Branch(0, 0.0, tree, tree)
        index = self._branch(root)
        # A stack of our own, because a boosted tree may be deeper than Python's.
        waiting = [index]
        while waiting:
            at = waiting.pop()
            branch = self.branches[at]
            self.true[at], self.false[at] = self._child(branch.true), self._child(branch.false)
            waiting += [place.index for place in (self.false[at], self.true[at]) if not place.leaf]
        return index

    def _branch(self, branch: Branch) -> int:
        self.branches.append(branch)
        self.true.append(_Place(-1, leaf=True))
        self.false.append(_Place(-1, leaf=True))
        return len(self.branches) - 1

    def _child(self, node: Node) -> _Place:
        if isinstance(node, Branch):
            return _Place(self._branch(node), leaf=False)
        self.leaves.append(node.value)
        return _Place(len(self.leaves) - 1, leaf=True)


def tree_ensemble(trees: Sequence[Node], features: str, output: str) -> onnx.NodeProto:
    """The sum over trees, double of shape (rows, 1), of `features`, double of shape (rows, columns)."""
    if not trees:
        raise Refused("expected a model of trees, found one without any")
    tables = _Tables()
    roots = [tables.add(tree) for tree in trees]
    branches = tables.branches
    # The sets stand one after another in the order of branches, each closed by NaN.
    members = [value for branch in branches if branch.members is not None for value in (*branch.members, math.nan)]
    modes = [_LEQ if branch.members is None else _MEMBER for branch in branches]
    return helper.make_node(
        "TreeEnsemble",
        [features],
        [output],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function=_SUM,
        post_transform=0,
        tree_roots=roots,
        nodes_featureids=[branch.feature for branch in branches],
        nodes_splits=_doubles("splits", [branch.threshold for branch in branches]),
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(modes)], modes),
        nodes_truenodeids=[place.index for place in tables.true],
        nodes_trueleafs=[int(place.leaf) for place in tables.true],
        nodes_falsenodeids=[place.index for place in tables.false],
        nodes_falseleafs=[int(place.leaf) for place in tables.false],
        nodes_missing_value_tracks_true=[int(branch.missing_true) for branch in branches],
        leaf_targetids=[0] * len(tables.leaves),
        leaf_weights=_doubles("weights", tables.leaves),
        **({"membership_values": _doubles("members", members)} if members else {}),
    )


def _doubles(name: str, values: Sequence[float]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], values)

"""The value stream of an instance: what it was built from, and what was built from it."""

from dataclasses import dataclass, field

from services.embedded.pipelines.gocd_yaml import Pipelines
from services.embedded.records.history import Cause, History, Instance
from services.embedded.scheduling.causes import PIPELINE


@dataclass
class Node:
    """A package material (`cause`) or a pipeline with its `instances`; `level` grows downstream."""

    id: str
    name: str
    level: int
    cause: Cause | None = None
    instances: list[Instance] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    dependents: list[str] = field(default_factory=list)


class ValueStream:
    def __init__(self, pipelines: Pipelines, history: History) -> None:
        self._pipelines = pipelines
        self._history = history

    def levels(self, instance: Instance) -> list[list[Node]]:
        """Nodes by level: package materials first, then each pipeline one level below what it was built from."""
        nodes: dict[str, Node] = {}
        self._upstream(nodes, self._node(nodes, instance.pipeline, 0, instance))
        self._downstream(nodes, nodes[instance.pipeline], instance)
        depths = sorted({node.level for node in nodes.values()})
        return [[node for node in nodes.values() if node.level == depth] for depth in depths]

    def _node(self, nodes: dict[str, Node], name: str, level: int, instance: Instance) -> Node:
        node = nodes.setdefault(name, Node(name, name, level))
        if instance not in node.instances:
            node.instances.append(instance)
        return node

    def _upstream(self, nodes: dict[str, Node], node: Node) -> None:
        for cause in self._history.causes(node.instances[0]):
            parent = self._parent(nodes, cause, node.level - 1)
            if parent:
                _join(parent, node)

    def _parent(self, nodes: dict[str, Node], cause: Cause, level: int) -> Node | None:
        if cause.type != PIPELINE:
            return nodes.setdefault(cause.fingerprint, Node(cause.fingerprint, cause.description, level, cause))
        pipeline, counter = cause.modifications[0].revision.split("/")[:2]
        instance = self._history.instance(pipeline, int(counter))
        if not instance:
            return None
        parent = self._node(nodes, pipeline, level, instance)
        self._upstream(nodes, parent)
        return parent

    def _downstream(self, nodes: dict[str, Node], node: Node, instance: Instance) -> None:
        for name, config in self._pipelines.pipelines.items():
            if not any(it.pipeline == instance.pipeline for it in config.materials.values()):
                continue
            child = nodes.setdefault(name, Node(name, name, node.level + 1))
            _join(node, child)
            for built in self._history.built_from(name, instance.pipeline, instance.counter):
                self._node(nodes, name, child.level, built)
                self._downstream(nodes, child, built)


def _join(parent: Node, child: Node) -> None:
    if child.id not in parent.dependents:
        parent.dependents.append(child.id)
        child.parents.append(parent.id)

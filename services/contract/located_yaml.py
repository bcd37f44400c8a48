"""YAML checked against a pydantic model, with file and line in every complaint."""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from services.contract.errors import Refused

Shape = TypeVar("Shape", bound=BaseModel)
# A check of several fields has no place of its own, and names the one that it complains of: `gates.compare.metric: …`.
_NAMED = re.compile(r"([a-z0-9_.-]+): ")
_BOOL, _TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"


class _Loader(yaml.CSafeLoader):
    """libyaml's, which takes a tenth of the time.

    A key is its own text: YAML 1.1 takes `off: …` for a key that is false.
    """

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, _ in node.value:
            if key.tag == _BOOL:
                key.tag = _TEXT
        return super().construct_mapping(node, deep)


def load_yaml(path: Path, shape: type[Shape]) -> Shape:
    """Raises Refused with `file:line: field: what is wrong`."""
    try:
        root, content = _read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path}: cannot read it: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Refused(f"{path}:{line}: not YAML: {error.problem}") from error
    try:
        return shape.model_validate({} if content is None else content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise Refused(f"{path}:{_located(root, problem['loc'], problem['msg'])}") from error


def _read(text: str) -> tuple[Node | None, Any]:
    """The document's node, which knows the lines, and what it says; neither of an empty one."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def _located(root: Node | None, location: Sequence[int | str], message: str) -> str:
    field, said = ".".join(map(str, location)), message.removeprefix("Value error, ")
    named = _NAMED.match(said)
    line = _line(root, [*location, *(named[1].split(".") if named else ())])
    return f"{line}: {field}: {said}" if field else f"{line}: {said}"


def _line(root: Node | None, location: Sequence[int | str]) -> int:
    """The line of the deepest node on the way to `location`, counted from 1."""
    line, node = 1, root
    for part in location:
        if (step := _step(node, part)) is None:
            break
        key, node = step
        line = key.start_mark.line + 1
    return line


def _step(node: Node | None, part: int | str) -> tuple[Node, Node] | None:
    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None

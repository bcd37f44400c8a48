"""The compose files as they are written: each service with the sentence above it, whatever its profile."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "docker-compose.yml"
KINDS = ROOT / "services" / "kinds.yml"
_ABOVE = re.compile(r"((?:^  # .*\n)+)  ([a-z][a-z-]*):$", re.MULTILINE)
_RULE = re.compile(r"^  # ── .* ─+\n", re.MULTILINE)


@dataclass(frozen=True)
class ComposeService:
    """`written` has the keys of the file in their order; `values` also those of what it extends."""

    name: str
    sentence: str
    written: dict[str, Any]
    values: dict[str, Any]


def compose_files() -> list[Path]:
    """In the order of reading: those that the main file includes, then it itself."""
    included = yaml.safe_load(MAIN.read_text(encoding="utf-8"))["include"]
    return [*(ROOT / one["path"] for one in included), MAIN]


@cache
def compose_services() -> tuple[ComposeService, ...]:
    kinds = yaml.safe_load(KINDS.read_text(encoding="utf-8"))["services"]
    return tuple(service for file in compose_files() for service in _services(file, kinds))


def _services(file: Path, kinds: dict[str, Any]) -> Iterator[ComposeService]:
    text = file.read_text(encoding="utf-8")
    sentences = {found[2]: _joined(found[1]) for found in _ABOVE.finditer(text)}
    for name, written in yaml.safe_load(text)["services"].items():
        own = {key: value for key, value in written.items() if key != "extends"}
        values = _merged(kinds[written["extends"]["service"]], own)
        yield ComposeService(name, sentences.get(name, ""), written, values)


def _joined(comment: str) -> str:
    return " ".join(line.strip(" #") for line in _RULE.sub("", comment).splitlines())


def _merged(kind: Any, own: Any) -> Any:
    """As compose does it: mappings key by key, lists one after the other, else the service's own value."""
    if isinstance(kind, dict) and isinstance(own, dict):
        return {key: _merged(kind.get(key), own.get(key)) for key in {**kind, **own}}
    if isinstance(kind, list) and isinstance(own, list):
        return [*kind, *own]
    return kind if own is None else own

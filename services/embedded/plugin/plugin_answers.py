"""Reads a plugin's replies as GoCD does; what GoCD would change silently is refused too."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.embedded.clock import milliseconds
from services.embedded.records.modifications import Modification
from services.embedded.plugin.interface import PluginFailed, PluginReply

_KEY = re.compile(r"[a-zA-Z0-9_]+")
# ISO_OFFSET_DATE_TIME, of which datetime.fromisoformat takes more spellings.
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
_TIME_FORMAT = "Package revision timestamp should be of type string with format yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"
_EMPTY = "Empty response body"
# The widths of GoCD's columns.
_REVISION, _USER = 1024, 255


@dataclass(frozen=True)
class Field:
    """A key of the plugin's configuration."""

    key: str
    display_name: str
    display_order: int
    required: bool
    secure: bool
    identity: bool


def fields(reply: PluginReply) -> list[Field]:
    """Sorted by their display order."""
    found = _map(reply, "Configuration should be returned as a map")
    if not found:
        raise PluginFailed(f"Unable to de-serialize json response. {_EMPTY}")
    return sorted((_field(key, described) for key, described in found.items()), key=lambda it: it.display_order)


def _field(key: str, described: Any) -> Field:
    """The defaults are GoCD's (PackageMaterialProperty)."""
    if not key or not isinstance(described, dict):
        raise PluginFailed(f"Configuration properties for key '{key}' should be represented as a Map")
    said = f"property for key '{key}'"
    _text(described, "default-value", f"'default-value' {said}")
    order = _text(described, "display-order", f"'display-order' {said}")
    return Field(
        key=key,
        display_name=_text(described, "display-name", f"'display-name' {said}") or "",
        display_order=0 if order is None else _order(order, f"'display-order' {said}"),
        required=_flag(described, "required", True, said),
        secure=_flag(described, "secure", False, said),
        identity=_flag(described, "part-of-identity", True, said),
    )


def problems(reply: PluginReply) -> dict[str, list[str]]:
    """Sentences by key; empty when the plugin accepts the configuration."""
    found: dict[str, list[str]] = {}
    listed = _parsed(reply) if _body(reply) else []
    if not isinstance(listed, list) or not all(isinstance(problem, dict) for problem in listed):
        raise PluginFailed(
            "Validation errors should be returned as list or errors, with each error represented as a map"
        )
    for problem in listed:
        key = _text(problem, "key", "Validation error key") or ""
        found.setdefault(key, []).append(_text(problem, "message", "Validation message") or "")
    return found


def latest(reply: PluginReply) -> Modification:
    found = since(reply)
    if not found:
        raise PluginFailed(_EMPTY)
    return found


def since(reply: PluginReply) -> Modification | None:
    """None when nothing is new."""
    found = _map(reply, "Package revision should be returned as a map")
    return _modification(found) if found else None


def _modification(found: dict[str, Any]) -> Modification:
    comment = {
        "TRACKBACK_URL": _text(found, "trackbackUrl", "Package revision trackbackUrl"),
        "TYPE": "PACKAGE_MATERIAL",
        "COMMENT": _text(found, "revisionComment", "Package revision comment"),
    }
    return Modification(
        revision=_limited(_text(found, "revision", "Package revision"), _REVISION, "revision"),
        user=_limited(_text(found, "user", "Package revision user") or "anonymous", _USER, "user"),
        comment=_gson(comment),
        modified_at=_time(found.get("timestamp")),
        data=_data(found.get("data")),
    )


def _gson(comment: dict[str, str | None]) -> str:
    """JSON as GoCD's Gson writes it, with the characters of HTML escaped."""
    text = json.dumps(comment, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[=<>&']", lambda found: f"\\u{ord(found[0]):04x}", text)


def _limited(text: str | None, limit: int, what: str) -> str:
    if not text or len(text) > limit:
        raise PluginFailed(f"Package {what} should be a string of 1 to {limit} characters")
    return text


def _time(value: Any) -> int:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise PluginFailed(_TIME_FORMAT)
    try:
        return milliseconds(datetime.fromisoformat(value))
    except ValueError as error:
        raise PluginFailed(_TIME_FORMAT) from error


def _data(data: Any) -> dict[str, str]:
    found = {} if data is None else data
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise PluginFailed("Package revision data should be a map of strings")
    for key in found:
        if not _KEY.fullmatch(key):
            raise PluginFailed(
                f"Key '{key}' is invalid. Key names should consists of only alphanumeric characters and/or underscores."
            )
    return found


def _map(reply: PluginReply, wanted: str) -> dict[str, Any]:
    """Empty for an empty body and for `null`, as in GoCD."""
    found = _parsed(reply) if _body(reply) else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PluginFailed(wanted)
    return found


def _parsed(reply: PluginReply) -> Any:
    try:
        return json.loads(_body(reply))
    except ValueError as error:
        raise PluginFailed(f"Unable to de-serialize json response. {error}") from error


def _body(reply: PluginReply) -> str:
    if reply.code != 200:
        raise PluginFailed(
            "The plugin sent a response that could not be understood by Go. Plugin returned with code"
            f" '{reply.code}' and the following response: '{reply.body}'"
        )
    return reply.body or ""


def _text(found: dict[str, Any], key: str, what: str) -> str | None:
    value = found.get(key)
    if value is not None and not isinstance(value, str):
        raise PluginFailed(f"{what} should be of type string")
    return value


def _order(text: str, what: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        raise PluginFailed(f"{what} should be of type integer")
    return int(text)


def _flag(found: dict[str, Any], key: str, absent: bool, said: str) -> bool:
    value = found.get(key)
    if value is not None and not isinstance(value, bool):
        raise PluginFailed(f"'{key}' {said} should be of type boolean")
    return absent if value is None else value

"""Configured values in requests and answers; secure values are never in an answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import HTTPException

from services.embedded.api.payload import Json, objects, required, text
from services.embedded.plugin.plugin_answers import Field
from services.embedded.records.catalog import Property

NOT_SHOWN = "********"
Problems = Mapping[str, Sequence[str]]


def properties(found: Json, fields: Sequence[Field]) -> tuple[Property, ...]:
    """Keeps keys that the plugin does not have. Raises a 422 for a value that a GoCD has encrypted."""
    known = {field.key: field for field in fields}
    return tuple(_property(item, known) for item in objects(found, "configuration"))


def _property(item: Json, known: Mapping[str, Field]) -> Property:
    key = str(required(item, "key"))
    if "encrypted_value" in item:
        raise HTTPException(
            422, f"expected the value of {key}, found one that a GoCD has encrypted: give it as `value`"
        )
    field = known.get(key)
    return Property(key, text(item, "value") or "", bool(field and field.secure), field is None or field.identity)


def configuration_shape(configured: Iterable[Property], problems: Problems | None = None) -> list[dict[str, Any]]:
    """As GoCD shows it, with the problems of each key in its `errors`."""
    configured = list(configured)
    keys = [it.key for it in configured]
    shapes = []
    for it in configured:
        shape: dict[str, Any] = {"key": it.key}
        shape |= {"encrypted_value": NOT_SHOWN} if it.secure else {"value": it.value}
        if problems and it.key in problems:
            # A key that comes twice is itself the problem, not its value.
            about = it.key if keys.count(it.key) == 1 else "configuration_key"
            shape["errors"] = {about: list(problems[it.key])}
        shapes.append(shape)
    return shapes


def errors_beside(configured: Iterable[Property], problems: Problems) -> dict[str, Any]:
    """The `errors` of the whole: those that belong to no configured key. Empty when there are none."""
    keys = {it.key for it in configured}
    rest = {key: list(texts) for key, texts in problems.items() if key not in keys}
    return {"errors": rest} if rest else {}


def validation_failed(kind: str, identity: str) -> str:
    """GoCD's message; the problems themselves are in the `errors` of the data beside it."""
    return f"Validations failed for {kind} '{identity}'. Error(s): [Validation failed.]. Please correct and resubmit."


def bad_name(what: str, value: str | None) -> str:
    return (
        f"Invalid {what} '{value}'. This must be alphanumeric and can contain underscores, hyphens and periods"
        " (however, it cannot start with a period). The maximum allowed length is 255 characters."
    )

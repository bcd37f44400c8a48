"""Configured values as they come in and go out: what is secure goes in only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import HTTPException
from pydantic import BaseModel

from services.embedded.catalog import Property
from services.embedded.plugin_answers import Field

NOT_SHOWN = "********"


class ConfigurationItem(BaseModel):
    """A value that GoCD has encrypted cannot be read here, so it is refused."""

    key: str
    value: str = ""
    encrypted_value: None = None


def properties(items: Sequence[ConfigurationItem], fields: Sequence[Field]) -> tuple[Property, ...]:
    """Raises a 422 for keys that the plugin does not have."""
    known = {field.key: field for field in fields}
    if unknown := [item.key for item in items if item.key not in known]:
        raise HTTPException(
            422, f"Unsupported key(s) found : {', '.join(unknown)}. Allowed key(s) are : {', '.join(known)}"
        )
    return tuple(Property(item.key, item.value, known[item.key].secure, known[item.key].identity) for item in items)


def configuration_shape(
    configured: Iterable[Property], problems: Mapping[str, list[str]] | None = None
) -> list[dict[str, Any]]:
    shapes = []
    for it in configured:
        shape: dict[str, Any] = {"key": it.key}
        shape |= {"encrypted_value": NOT_SHOWN} if it.secure else {"value": it.value}
        if problems and it.key in problems:
            shape["errors"] = {it.key: problems[it.key]}
        shapes.append(shape)
    return shapes


def validation_failed(kind: str, identity: str, problems: Mapping[str, list[str]]) -> str:
    errors = ", ".join(message for messages in problems.values() for message in messages)
    return f"Validations failed for {kind} '{identity}'. Error(s): [{errors}]. Please correct and resubmit."

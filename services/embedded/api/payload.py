"""The JSON body of a request, read as leniently as GoCD reads it, with GoCD's messages for what it refuses."""

import json
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

Json = dict[str, Any]


async def _payload(request: Request) -> Json:
    """The body as a JSON object; an empty body is an empty object. Raises a 400 for anything else."""
    text = (await request.body()).decode(errors="replace")
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _not_json(f"com.google.gson.JsonSyntaxException: {error}") from error
    if not isinstance(found, dict):
        raise _not_json(f"java.lang.IllegalStateException: Not a JSON Object: {gson(found)}")
    return found


Payload = Annotated[Json, Depends(_payload)]


def _not_json(why: str) -> HTTPException:
    return HTTPException(400, {"error": f"Payload data is not valid JSON: {why}"})


def gson(found: Any) -> str:
    """JSON as it stands in GoCD's messages."""
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


def required(found: Json, key: str) -> Any:
    if key not in found:
        raise HTTPException(422, f"Json `{gson(found)}` does not contain property '{key}'")
    return found[key]


def text(found: Json, key: str) -> str | None:
    """None when it is missing; a number or a boolean becomes its JSON text. Raises a 422 for a list or an object."""
    value = found.get(key)
    if isinstance(value, dict | list):
        raise HTTPException(422, f"Could not read property '{key}' as a String in json `{gson(found)}`")
    return value if value is None or isinstance(value, str) else gson(value)


def flag(found: Json, key: str) -> bool:
    """True for `true` in any letters, false for anything else. Raises a 422 for a list or an object."""
    return str(text(found, key)).lower() == "true"


def mapping(found: Json, key: str) -> Json:
    value = required(found, key)
    if not isinstance(value, dict):
        raise HTTPException(422, f"Could not read property '{key}' as a JsonObject in json `{gson(found)}`")
    return value


def objects(found: Json, key: str) -> list[Json]:
    """A list of objects, empty when it is missing. Raises a 422 for anything else."""
    value = found.get(key, [])
    if not isinstance(value, list):
        raise HTTPException(422, f"Could not read property '{key}' as a JsonArray in json `{gson(found)}`")
    for entry in value:
        if not isinstance(entry, dict):
            raise HTTPException(422, f"Not a JSON Object: {gson(entry)}")
    return value

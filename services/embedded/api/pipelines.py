"""Pipelines: their history, one instance, their state, and the request to run."""

import json
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from services.embedded.api.pipeline_shape import instance_shape
from services.embedded.api.protocol import CONFIRMED, NOT_FOUND, Server, User, accepts, answer
from services.embedded.engine import Engine, ScheduleOrder
from services.embedded.history import Instance
from services.embedded.scheduler import Conflict

BAD_PAGE_SIZE = "The query parameter 'page_size', if specified must be a number between 10 and 100."
router = APIRouter(prefix="/go/api/pipelines")


class ScheduleOptions(BaseModel):
    """What else GoCD takes here is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    update_materials_before_scheduling: bool = True
    materials: Any = []


def known(engine: Engine, name: str) -> None:
    if name not in engine.pipelines.pipelines:
        raise HTTPException(404, NOT_FOUND)


@router.get("/{name}/history", dependencies=[accepts(1)])
def history(
    engine: Server, name: str, page_size: str = "10", after: int | None = None, before: int | None = None
) -> JSONResponse:
    """`after` and `before` are the cursors of the links `next` and `previous`."""
    known(engine, name)
    size = int(page_size) if page_size.isdecimal() else 0
    if not 10 <= size <= 100:
        raise HTTPException(400, BAD_PAGE_SIZE)
    if before is not None:
        found = engine.history.newer_instances(name, size, before)
    else:
        found = engine.history.instances(name, size, after)
    shapes = [instance_shape(engine, instance) for instance in found]
    return answer(1, _page_links(engine, name, size, found) | {"pipelines": shapes})


def _page_links(engine: Engine, name: str, size: int, found: list[Instance]) -> dict[str, Any]:
    if not found:
        return {}
    url = f"{engine.site.server_url}/api/pipelines/{name}/history?page_size={size}"
    page: dict[str, Any] = {}
    if engine.history.newer_instances(name, 1, found[0].id):
        page["previous"] = {"href": f"{url}&before={found[0].id}"}
    if engine.history.instances(name, 1, found[-1].id):
        page["next"] = {"href": f"{url}&after={found[-1].id}"}
    return {"_links": page} if page else {}


@router.get("/{name}/status", dependencies=[accepts(1)])
def status(engine: Server, name: str) -> JSONResponse:
    known(engine, name)
    found = {
        "paused": False,
        "paused_cause": "",
        "paused_by": "",
        "locked": engine.history.lock_holder(name) is not None,
        "schedulable": engine.scheduler.obstacle(name) is None,
    }
    return answer(1, found)


@router.post("/{name}/schedule", dependencies=[accepts(1), CONFIRMED])
def schedule(engine: Server, user: User, name: str, options: ScheduleOptions | None = None) -> JSONResponse:
    known(engine, name)
    try:
        engine.trigger(name, _order(engine, name, options or ScheduleOptions()), user)
    except Conflict as conflict:
        raise HTTPException(409, str(conflict)) from conflict
    return answer(1, {"message": f"Request to schedule pipeline {name} accepted"}, 202)


def _order(engine: Engine, name: str, options: ScheduleOptions) -> ScheduleOrder:
    pinned = _pinned(options.materials)
    if unknown := engine.scheduler.foreign(name, pinned):
        words = f"Pipeline '{name}' does not contain the following material(s): [{', '.join(unknown)}]."
        raise HTTPException(422, f"Request to schedule pipeline rejected {{ {words} }}")
    return ScheduleOrder(options.update_materials_before_scheduling, pinned)


def _pinned(materials: Any) -> dict[str, str]:
    if not isinstance(materials, list):
        shown = _gson({"materials": materials})
        raise HTTPException(422, f"Could not read property 'materials' as a JsonArray in json `{shown}`")
    for material in materials:
        for field in ("fingerprint", "revision"):
            if not isinstance(material, dict) or field not in material:
                raise HTTPException(422, f"Json `{_gson(material)}` does not contain property '{field}'")
    return {str(material["fingerprint"]): str(material["revision"]) for material in materials}


def _gson(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@router.get("/{name}/{counter}", dependencies=[accepts(1)])
def instance(engine: Server, name: str, counter: int) -> JSONResponse:
    if name not in engine.pipelines.pipelines:
        raise HTTPException(404, f"Pipeline named [{name}] is not known.")
    found = engine.history.instance(name, counter)
    if not found:
        raise HTTPException(404, f"Pipeline [{name}/{counter}] not found.")
    return answer(1, instance_shape(engine, found))

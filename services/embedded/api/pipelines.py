"""Pipelines: history, one instance, status, and the request to run."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError

from services.embedded.api.payload import Json, Payload, objects, required
from services.embedded.api.pipeline_shape import instance_shape
from services.embedded.api.protocol import CONFIRMED, NOT_ALLOWED, CurrentEngine, CurrentUser, accepts, answer
from services.embedded.engine import CiEngine
from services.embedded.records.history import Instance
from services.embedded.schedule_requests import ScheduleRequest
from services.embedded.scheduling.scheduler import Conflict

BAD_PAGE_SIZE = "The query parameter 'page_size', if specified must be a number between 10 and 100."
# Of Java's Long and of an SQLite integer.
BIGGEST = 2**63 - 1
router = APIRouter(prefix="/go/api/pipelines")


class ScheduleOptions(BaseModel):
    """Other options of GoCD are refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    update_materials_before_scheduling: bool = True
    materials: Any = []


def known(engine: CiEngine, name: str, user: str) -> str:
    """The configured spelling of the name. Raises a 404, or a 403 when the user may not see it."""
    pipelines = engine.pipelines.pipelines
    found = next((it for it in pipelines if it.lower() == name.lower()), None)
    if not found:
        raise HTTPException(404, f"Pipeline with name '{name}' was not found!")
    if not engine.users.operates(user, pipelines[found].group):
        raise HTTPException(403, NOT_ALLOWED)
    return found


def _cursor(name: str, value: str | None) -> int | None:
    if value is not None and not value.isdecimal():
        raise HTTPException(400, f"The query parameter '{name}', if specified, must be a positive integer.")
    return None if value is None else min(int(value), BIGGEST)


@router.get("/{name}/history", dependencies=[accepts(1)])
def history(
    engine: CurrentEngine,
    user: CurrentUser,
    name: str,
    page_size: Annotated[list[str], Query()] = ["10"],  # noqa: B006  # never changed
    after: str | None = None,
    before: str | None = None,
) -> JSONResponse:
    """`after` and `before` are the cursors of the links `next` and `previous`."""
    name = known(engine, name, user)
    size = int(page_size[0]) if page_size[0].isdecimal() else 0
    if not 10 <= size <= 100:
        raise HTTPException(400, BAD_PAGE_SIZE)
    newer, older = _cursor("before", before), _cursor("after", after)
    if older is None and newer is not None:
        found = engine.history.newer_instances(name, size, newer)
    else:
        found = engine.history.instances(name, size, older)
    shapes = [instance_shape(engine, instance, in_history=True) for instance in found]
    return answer(1, _page_links(engine, name, found) | {"pipelines": shapes})


def _page_links(engine: CiEngine, name: str, found: list[Instance]) -> dict[str, Any]:
    if not found:
        return {}
    url = f"{engine.site.server_url}/api/pipelines/{name}/history"
    page: dict[str, Any] = {}
    if engine.history.newer_instances(name, 1, found[0].id):
        page["previous"] = {"href": f"{url}?before={found[0].id}"}
    if engine.history.instances(name, 1, found[-1].id):
        page["next"] = {"href": f"{url}?after={found[-1].id}"}
    return {"_links": page} if page else {}


@router.get("/{name}/status", dependencies=[accepts(1)])
def status(engine: CurrentEngine, user: CurrentUser, name: str) -> JSONResponse:
    if name.lower() not in map(str.lower, engine.pipelines.pipelines):
        raise HTTPException(404, "Not Found { Pipeline not found }")
    name = known(engine, name, user)
    found = {
        "paused": False,
        "paused_cause": "",
        "paused_by": "",
        "locked": engine.history.lock_holder(name) is not None,
        "schedulable": engine.scheduler.obstacle(name) is None,
    }
    return answer(1, found)


@router.post("/{name}/schedule", dependencies=[accepts(1), CONFIRMED])
def schedule(engine: CurrentEngine, user: CurrentUser, name: str, payload: Payload) -> JSONResponse:
    if engine.users.administers(user) and name not in engine.pipelines.pipelines:
        raise HTTPException(404, f"Pipeline '{name}' not found.")
    name, options = known(engine, name, user), _options(payload)
    try:
        engine.schedule_requests.accept(name, _request(engine, name, payload, options), user)
    except Conflict as conflict:
        raise HTTPException(409, str(conflict)) from conflict
    return answer(1, {"message": f"Request to schedule pipeline {name} accepted"}, 202)


def _options(payload: Json) -> ScheduleOptions:
    try:
        return ScheduleOptions.model_validate(payload)
    except ValidationError as error:
        problem = error.errors()[0]
        raise HTTPException(422, f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


def _request(engine: CiEngine, name: str, payload: Json, options: ScheduleOptions) -> ScheduleRequest:
    materials = objects(payload, "materials")
    pinned = {str(required(one, "fingerprint")): str(required(one, "revision")) for one in materials}
    if unknown := engine.scheduler.unknown_materials(name, pinned):
        words = f"Pipeline '{name}' does not contain the following material(s): [{', '.join(unknown)}]."
        raise HTTPException(422, f"Request to schedule pipeline rejected {{ {words} }}")
    return ScheduleRequest(options.update_materials_before_scheduling, pinned)


@router.get("/{name}/{counter}", dependencies=[accepts(1)])
def instance(engine: CurrentEngine, user: CurrentUser, name: str, counter: str) -> JSONResponse:
    name = known(engine, name, user)
    found = engine.history.instance(name, _counter(counter))
    if not found:
        raise HTTPException(404, f"Pipeline [{name}/{counter}] not found.")
    return answer(1, instance_shape(engine, found))


def _counter(text: str) -> int:
    try:
        counter = int(text)
    except ValueError:
        counter = BIGGEST + 1
    if counter > BIGGEST:
        problem = "The pipeline counter should be an integer."
    elif counter < 1:
        problem = "The pipeline counter cannot be less than 1."
    else:
        return counter
    raise HTTPException(422, f"Your request could not be processed. {problem}")

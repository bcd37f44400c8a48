"""Package materials: their newest revision, their messages, and the request to poll one now."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from services.embedded.api.protocol import CurrentEngine, accepts, answer, links
from services.embedded.clock import from_milliseconds, iso_seconds
from services.embedded.engine import CiEngine
from services.embedded.polling.health import HealthMessage
from services.embedded.polling.package_poller import PackagePoller

VERSION = 1
router = APIRouter(prefix="/go/api/internal/materials", dependencies=[accepts(VERSION)])


@router.get("")
def materials(engine: CurrentEngine) -> JSONResponse:
    url = f"{engine.site.server_url}/api/internal/materials"
    shapes = [_shape(engine, poller) for poller in engine.materials.pollers()]
    return answer(VERSION, {"_links": links(url, "materials"), "materials": shapes}, tagged=True)


@router.post("/{fingerprint}/trigger_update")
def trigger_update(engine: CurrentEngine, fingerprint: str) -> JSONResponse:
    """Polls at once, whatever the back-off says. Unlike GoCD's other POSTs it needs no confirmation."""
    poller = engine.materials.poller(fingerprint)
    if not poller:
        raise HTTPException(404, "Material not found")
    if not poller.trigger():
        raise HTTPException(409, "Update already in progress.")
    return answer(VERSION, {"message": "OK"}, 201)


def _shape(engine: CiEngine, poller: PackagePoller) -> dict[str, Any]:
    package = poller.package
    in_progress = poller.in_progress
    return {
        "config": {
            "type": "package",
            "fingerprint": package.fingerprint,
            "attributes": {
                "ref": package.id,
                "auto_update": package.auto_update,
                "package_name": package.name,
                "package_repo_name": package.repository.name,
            },
        },
        "can_trigger_update": not in_progress,
        "material_update_in_progress": in_progress,
        "modification": _modification(engine, package.fingerprint),
        "messages": [_message(message) for message in engine.health.messages(package.fingerprint)],
    }


def _message(message: HealthMessage) -> dict[str, Any]:
    """Its fields have other names than those of the server health messages."""
    return {"level": message.level, "message": message.message, "description": message.detail}


def _modification(engine: CiEngine, fingerprint: str) -> dict[str, Any] | None:
    newest = next(iter(engine.modifications.newest(fingerprint)), None)
    if not newest:
        return None
    return {
        "username": newest.user,
        "revision": newest.revision,
        "modified_time": iso_seconds(from_milliseconds(newest.modified_at)),
        "comment": newest.comment,
    }

"""The server's health check, its version and its health messages."""

import json
from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from services.embedded.api.protocol import CurrentEngine, accepts, answer, links

GOCD_VERSION = "26.1.0"
router = APIRouter()


@router.get("/go/api/v1/health", dependencies=[accepts(1, anything=True)])
def health() -> JSONResponse:
    return answer(1, {"health": "OK"})


@router.get("/go/api/version", dependencies=[accepts(1)])
def version(engine: CurrentEngine) -> Response:
    found = {
        "_links": links(f"{engine.site.server_url}/api/version", "version"),
        "version": GOCD_VERSION,
        "full_version": f"{GOCD_VERSION} (Trackback's embedded CI server)",
    }
    return Response(json.dumps(found))  # of no type, as GoCD gives it


@router.get("/go/api/server_health_messages", dependencies=[accepts(1)])
def server_health_messages(engine: CurrentEngine) -> JSONResponse:
    return answer(1, [asdict(message) for message in engine.health.messages()], tagged=True)

"""The revisions of a material, newest first, in pages."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from services.embedded.api.protocol import CurrentEngine, accepts, answer, links
from services.embedded.records.modifications import Modification

VERSION = 2
PAGE_SIZE = 10
router = APIRouter(prefix="/go/api/materials/{fingerprint}/modifications", dependencies=[accepts(VERSION)])


@router.get("")
@router.get("/{offset}")
def modifications(engine: CurrentEngine, fingerprint: str, offset: int = 0) -> JSONResponse:
    total = engine.modifications.count(fingerprint)
    if not total and not engine.materials.poller(fingerprint):
        raise HTTPException(404, "Not Found { Material not found }")
    url = f"{engine.site.server_url}/api/materials"
    found = engine.modifications.page(fingerprint, PAGE_SIZE, offset)
    body = {
        "_links": links(
            f"{url}/{fingerprint}/modifications", "materials", f"{url}/:fingerprint/modifications/{{offset}}"
        ),
        "_embedded": {
            "modifications": [_shape(one) for one in found],
            "pagination": {"page_size": PAGE_SIZE, "offset": offset, "total": total},
        },
    }
    return answer(VERSION, body)


def _shape(modification: Modification) -> dict[str, Any]:
    return {
        "id": modification.id,
        "user_name": modification.user,
        "revision": modification.revision,
        "modified_time": modification.modified_at,
        "comment": modification.comment,
    }

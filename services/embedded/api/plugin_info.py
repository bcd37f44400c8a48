"""The plugin: its name, version and configuration keys."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from services.embedded.api.protocol import NOT_FOUND, CurrentEngine, accepts, answer, links
from services.embedded.plugin.plugin_answers import Field

VERSION = 7
router = APIRouter(prefix="/go/api/admin/plugin_info", dependencies=[accepts(VERSION)])


@router.get("/{identity}")
def plugin_info(engine: CurrentEngine, identity: str) -> JSONResponse:
    plugin = engine.plugin.info
    if identity != plugin.id:
        raise HTTPException(404, NOT_FOUND)
    url = f"{engine.site.server_url}/api/admin/plugin_info"
    found = {
        "_links": links(f"{url}/{plugin.id}", "plugin-info", f"{url}/:id"),
        "id": plugin.id,
        "status": {"state": "active"},
        "bundled_plugin": False,
        "about": {"name": plugin.name},
        "extensions": [
            {
                "type": "package-repository",
                "package_settings": {"configurations": _fields(engine.plugin.package_fields())},
                "repository_settings": {"configurations": _fields(engine.plugin.repository_fields())},
            }
        ],
    }
    return answer(VERSION, found, tagged=True)


def _fields(fields: Iterable[Field]) -> list[dict[str, Any]]:
    return [
        {
            "key": field.key,
            "metadata": {
                "secure": field.secure,
                "required": field.required,
                "part_of_identity": field.identity,
                "display_name": field.display_name,
                "display_order": field.display_order,
            },
        }
        for field in fields
    ]

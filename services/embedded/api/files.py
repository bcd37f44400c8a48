"""The files of a job: its console, its artifacts, and listings of both."""

import mimetypes
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from services.embedded.api.protocol import Server
from services.embedded.artifacts import CONSOLE_LOG
from services.embedded.engine import Engine
from services.embedded.job_order import JobPlace

# A report comes out of a job, so it may look as it likes but not act.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
}
router = APIRouter(prefix="/go/files/{pipeline}/{counter}/{stage}/{stage_counter}")


@router.get("/{path:path}")
def artifact(
    engine: Server,
    pipeline: str,
    counter: int,
    stage: str,
    stage_counter: int,
    path: str,
    startLineNumber: int = 0,  # noqa: N803  # GoCD's name for it
) -> Response:
    job, _, inner = path.partition("/")
    place = JobPlace(pipeline, counter, stage, stage_counter, job)
    found = engine.artifacts.find(place, inner) if inner else None
    if found and inner == CONSOLE_LOG:
        return _console(found, startLineNumber)
    if found and found.is_file():
        return FileResponse(found, media_type=_media_type(found), headers=_HEADERS)
    if path.endswith(".json") and (listing := _listing(engine, place, inner)) is not None:
        return JSONResponse(listing)
    name = inner or job
    raise HTTPException(
        404, f"Artifact '{name}' is unavailable as it may have been purged by Go or deleted externally."
    )


def _console(log: Path, first_line: int) -> Response:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return PlainTextResponse("".join(lines[first_line:]), headers=_HEADERS)


def _media_type(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _listing(engine: Engine, place: JobPlace, inner: str) -> list[dict[str, Any]] | None:
    """`<job>.json` or `<job>/<folder>.json`."""
    if inner:
        folder, where = engine.artifacts.find(place, inner.removesuffix(".json")), f"{inner.removesuffix('.json')}/"
    else:
        place = JobPlace(
            place.pipeline, place.counter, place.stage, place.stage_counter, place.job.removesuffix(".json")
        )
        folder, where = engine.artifacts.find(place, "."), ""
    if not folder or not folder.is_dir():
        return None
    return _entries(folder, f"{engine.site.server_url}/files/{place.path}/{where}")


def _entries(folder: Path, url: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for found in sorted(folder.iterdir()):
        entry: dict[str, Any] = {"name": found.name, "url": f"{url}{found.name}"}
        if found.is_dir():
            entry |= {"type": "folder", "files": _entries(found, f"{url}{found.name}/")}
        else:
            entry |= {"type": "file"}
        entries.append(entry)
    return entries

"""The files of a job: console log, artifacts, and listings of folders."""

import json
import mimetypes
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from services.embedded.agent.artifacts import CONSOLE_LOG
from services.embedded.agent.job_assignment import JobIdentifier
from services.embedded.api.protocol import CurrentEngine, CurrentUser
from services.embedded.engine import CiEngine
from services.embedded.records.history import Instance

# A report comes out of a job: styles and images of its own are allowed, scripts are not.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
}
_GONE = "{} is unavailable as it may have been purged by Go or deleted externally."
LATEST = "latest"
CHUNK = 1 << 18


class JobName(NamedTuple):
    """The parts of the path, as they were sent."""

    pipeline: str
    counter: str
    stage: str
    stage_counter: str
    job: str


class FilePath(NamedTuple):
    """A path inside the folder of a job; `listing` when the job's folder itself was asked for, as `<job>.json`."""

    job: JobName
    inner: str
    listing: bool


class FileMissing(Exception):
    """A 404 in plain text; the text is GoCD's."""


class NotAllowed(Exception):
    """The user may not see the pipelines of that group."""


def missing(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404)


def not_allowed(_: Request, __: Exception) -> Response:
    page = "<title>403 Forbidden</title><h1>403</h1>"
    return Response(page, 403, media_type="text/html;charset=iso-8859-1")


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    FileMissing: missing,
    NotAllowed: not_allowed,
}
router = APIRouter(prefix="/go/files/{pipeline}/{counter}/{stage}/{stage_counter}")


def _file_path(pipeline: str, counter: str, stage: str, stage_counter: str, path: str) -> FilePath:
    job, _, inner = path.partition("/")
    listing = not inner and job.endswith(".json")
    name = job.removesuffix(".json") if listing else job
    return FilePath(JobName(pipeline, counter, stage, stage_counter, name), inner, listing)


@router.get("/{path:path}")
def artifact(
    engine: CurrentEngine,
    user: CurrentUser,
    path: Annotated[FilePath, Depends(_file_path)],
    startLineNumber: str = "",  # noqa: N803  # GoCD's name for it
) -> Response:
    job, inner = _job(engine, user, path.job), path.inner
    found = engine.artifacts.find(job, inner) if inner else None
    if found and inner == CONSOLE_LOG:
        return _console(found, _first_line(startLineNumber))
    if found and found.is_file():
        headers = _HEADERS | {"Content-Type": _media_type(found), "Content-Length": str(found.stat().st_size)}
        return StreamingResponse(_chunks(found), headers=headers)
    if inner == CONSOLE_LOG:
        raise FileMissing(_GONE.format("Console log for this job"))
    if path.listing or inner.endswith(".json"):
        return _listing(engine, job, inner)
    raise FileMissing(_GONE.format(f"Artifact '{inner}'"))


def _job(engine: CiEngine, user: str, name: JobName) -> JobIdentifier:
    """`latest` may stand for each counter. Raises FileMissing and NotAllowed."""
    config = engine.pipelines.pipelines.get(name.pipeline)
    if config and not engine.users.operates(user, config.group):
        raise NotAllowed
    instance = _instance(engine, name.pipeline, name.counter) if config else None
    stages = engine.stages.runs(instance, name.stage) if instance else []
    wanted = [run for run in stages if str(run.counter) == name.stage_counter]
    run = stages[-1] if name.stage_counter == LATEST and stages else next(iter(wanted), None)
    if not instance or not run or name.job not in [job.name for job in engine.stages.jobs(run)]:
        raise FileMissing(f"Job {'/'.join(name)} not found.")
    return JobIdentifier(instance.pipeline, instance.counter, name.stage, run.counter, name.job)


def _instance(engine: CiEngine, pipeline: str, counter: str) -> Instance | None:
    if counter == LATEST:
        return next(iter(engine.history.instances(pipeline, 1)), None)
    return engine.history.instance(pipeline, int(counter)) if re.fullmatch("[0-9]{1,18}", counter) else None


def _first_line(text: str) -> int:
    """The number of lines to leave out. Raises a 400 when it is not a number."""
    if text and not re.fullmatch("-?[0-9]{1,9}", text):
        raise HTTPException(400, f"startLineNumber: expected a number, found '{text[:40]}'")
    return max(0, int(text or 0))


def _console(log: Path, first_line: int) -> Response:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    headers = _HEADERS | {"Content-Type": "text/plain;charset=utf-8"}
    return Response("".join(lines[first_line:]), headers=headers)


def _chunks(file: Path) -> Iterator[bytes]:
    """The whole file: GoCD has no ranges and no ETag here."""
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            yield chunk


def _media_type(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _listing(engine: CiEngine, job: JobIdentifier, inner: str) -> Response:
    """What `<job>.json` and `<job>/<folder>.json` answer. Raises FileMissing when there is no such folder."""
    name = inner.removesuffix(".json")
    folder = engine.artifacts.find(job, name or ".")
    if not folder or not folder.is_dir():
        raise FileMissing(_GONE.format(f"Artifact '{inner}'"))
    where = f"{name}/" if name else ""
    entries = _entries(folder, f"{engine.site.server_url}/files/{job.locator}/{where}")
    return Response(json.dumps(entries), media_type="application/json;charset=utf-8")


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

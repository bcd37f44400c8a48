"""What all of GoCD's API has in common: versions in Accept, confirmation of a POST, ETags, the shape of errors."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHttpException

from services.embedded.engine import CiEngine

ANY_VERSION = "application/vnd.go.cd+json"
NOT_FOUND = "Either the resource you requested was not found, or you are not authorized to perform this action."
NOT_ALLOWED = "You are not authorized to perform this action."
_VENDOR = re.compile(r"application/vnd\.go\.cd(\.v\d+)?\+json")
_ANYTHING = re.compile(r"(^|[,\s])\*/\*($|[,;\s])")


class UnknownUrl(Exception):
    """There is no such path with that method and that Accept."""


def engine_of(request: Request) -> CiEngine:
    engine: CiEngine = request.app.state.engine
    return engine


def user_of(request: Request) -> str:
    user: str = request.state.user
    return user


CurrentEngine = Annotated[CiEngine, Depends(engine_of)]
CurrentUser = Annotated[str, Depends(user_of)]


def accepts(version: int, anything: bool = False) -> Any:
    """A dependency: Accept must be this version's, letter by letter, or name none; `anything` takes `*/*` and none."""
    wanted = (vendor_type(version), ANY_VERSION)

    def check(request: Request) -> None:
        request.state.version = version
        accept = request.headers.get("accept")
        if accept not in wanted and not (anything and (accept is None or _ANYTHING.search(accept))):
            raise UnknownUrl

    return Depends(check)


def vendor_type(version: int) -> str:
    return f"application/vnd.go.cd.v{version}+json"


def _admin(engine: CurrentEngine, user: CurrentUser) -> None:
    if not engine.users.administers(user):
        raise HTTPException(403, NOT_ALLOWED)


ADMIN = Depends(_admin)


async def _confirmed(request: Request) -> None:
    """Raises a 415 for a body of another type than JSON, a 400 without a body and without `X-GoCD-Confirm`."""
    if await request.body():
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "You must specify a 'Content-Type' of 'application/json'")
    elif "x-gocd-confirm" not in request.headers:
        raise HTTPException(400, "Missing required header 'X-GoCD-Confirm' with value 'true'")


CONFIRMED = Depends(_confirmed)


def answer(version: int, content: Any, status: int = 200, tagged: bool = False) -> JSONResponse:
    """JSON in GoCD's media type of that version; `tagged` adds an ETag, the SHA-256 of the body."""
    found = JSONResponse(content, status, media_type=f"{vendor_type(version)};charset=utf-8")
    if tagged:
        found.headers["ETag"] = f'"{hashlib.sha256(found.body).hexdigest()}"'
    return found


async def with_tags(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """A middleware: 304 for an If-None-Match that is met; `--gzip` in the ETag of a compressed answer, as in Jetty."""
    found = await call_next(request)
    tag = found.headers.get("etag", "")
    if not tag or "json" not in found.headers.get("content-type", "") or found.status_code >= 300:
        return found
    if request.method == "GET" and request.headers.get("if-none-match", "").replace("--gzip", "") == tag:
        return Response(status_code=304, media_type=found.headers["content-type"])
    if "gzip" in request.headers.get("accept-encoding", ""):
        found.headers["ETag"] = f'{tag[:-1]}--gzip"'
    return found


def refuse_stale(request: Request, current: Response, message: str) -> None:
    """Raises a 412 unless If-Match is the ETag of `current`, with or without its quotes and `--gzip`."""
    sent = request.headers.get("if-match", "").replace("--gzip", "").strip('"')
    if sent != current.headers["etag"].strip('"'):
        raise HTTPException(412, message)


def links(url: str, documentation: str, find: str | None = None) -> dict[str, Any]:
    found = {"self": {"href": url}, "doc": {"href": f"https://api.gocd.org/26.1.0/#{documentation}"}}
    return found | ({"find": {"href": find}} if find else {})


def no_such_url(request: Request, _: Exception) -> Response:
    """A 404 as GoCD gives it for an unknown path, method or Accept."""
    accept = request.headers.get("accept", "")
    page = "<html><body><h2>404 Not found</h2></body></html>"
    if _VENDOR.fullmatch(accept) or request.url.path == "/go/api/v1/health":
        return Response(page, 404, media_type="text/html;charset=utf-8")
    words = "The url you are trying to reach appears to be incorrect.\r\n"
    return Response(words, 404, media_type="text/plain;charset=utf-8")


def refusal(request: Request, status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    """In the media type of the route's version, else of Accept, else plain JSON."""
    version = getattr(request.state, "version", None)
    accept = request.headers.get("accept", "")
    asked = vendor_type(version) if version else accept
    media_type = f"{asked};charset=utf-8" if _VENDOR.fullmatch(asked) else "application/json"
    return JSONResponse(content, status, media_type=media_type, headers=headers)


def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, AnyHttpException) else 500
    detail = error.detail if isinstance(error, AnyHttpException) else str(error)
    if status in (404, 405) and detail == HTTPStatus(status).phrase:  # the router's own words: it has no such route
        return no_such_url(request, error)
    return refusal(request, status, detail if isinstance(detail, dict) else {"message": detail})


def _invalid(request: Request, error: Exception) -> Response:
    problem = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in problem["loc"][1:])
    return refusal(request, 422, {"message": f"{where}: {problem['msg']}"})


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    UnknownUrl: no_such_url,
    AnyHttpException: _refused,
    RequestValidationError: _invalid,
}

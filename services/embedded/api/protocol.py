"""What all of GoCD's API shares: versions in the Accept header, confirmation of a POST, the shape of a refusal."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHttpException

from services.embedded.engine import Engine

ANY_VERSION = "application/vnd.go.cd+json"
NOT_FOUND = "Either the resource you requested was not found, or you are not authorized to perform this action."


def engine_of(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


def user_of(request: Request) -> str:
    user: str = request.state.user
    return user


Server = Annotated[Engine, Depends(engine_of)]
User = Annotated[str, Depends(user_of)]


def accepts(version: int) -> Any:
    """Only this version or none at all; GoCD does not know a URL asked for with another."""
    wanted = (f"application/vnd.go.cd.v{version}+json", ANY_VERSION)

    def check(request: Request) -> None:
        if request.headers.get("accept", "").strip().lower() not in wanted:
            raise HTTPException(404, "The url you are trying to reach appears to be incorrect.")

    return Depends(check)


async def _confirmed(request: Request) -> None:
    if await request.body():
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "You must specify a 'Content-Type' of 'application/json'")
    elif request.headers.get("x-gocd-confirm", "").lower() != "true":
        raise HTTPException(400, "Missing required header 'X-GoCD-Confirm' with value 'true'")


CONFIRMED = Depends(_confirmed)


def answer(version: int, content: Any, status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, media_type=f"application/vnd.go.cd.v{version}+json; charset=utf-8")


def links(url: str, documentation: str, find: str | None = None) -> dict[str, Any]:
    found = {"self": {"href": url}, "doc": {"href": f"https://api.gocd.org/26.1.0/#{documentation}"}}
    return found | ({"find": {"href": find}} if find else {})


def _refused(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, AnyHttpException) else 500
    detail = error.detail if isinstance(error, AnyHttpException) else str(error)
    return JSONResponse({"message": detail}, status)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    problem = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": str(error)}
    where = ".".join(str(part) for part in problem["loc"][1:])
    return JSONResponse({"message": f"{where}: {problem['msg']}"}, 422)


HANDLERS: dict[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
    AnyHttpException: _refused,
    RequestValidationError: _invalid,
}

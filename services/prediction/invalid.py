"""The error of a request. It never repeats the input, so it is short and safe to log."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from starlette.responses import JSONResponse

from services.contract.record import Record

MAX_PROBLEMS = 10
# After these the rest of the body may still be on its way, so the connection cannot be used again.
_BODY_UNREAD = (400, 408, 413, 415, 503)


# Names of MLflow's, which its clients read. Source: mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS.
_ERROR_CODES = {400: "BAD_REQUEST", 404: "ENDPOINT_NOT_FOUND", 408: "DEADLINE_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE"}
_ERROR_CODE = "INVALID_PARAMETER_VALUE"


class Problem(Record):
    """The body of every 4xx answer: what is wrong, and where, at most ten times.

    `error_code` and `message` say it once more where MLflow's clients look for it; a gateway's own answers lack them.
    """

    error: str
    problems: tuple[str, ...] = ()
    error_code: str = ""
    message: str = ""


class Invalid(Exception):
    """A request that cannot be answered, with the HTTP status that says why."""

    def __init__(self, status: int, error: str, problems: Iterable[str] = ()) -> None:
        self.status = status
        listed = tuple(problems)
        message, code = "; ".join((error, *listed)), _ERROR_CODES.get(status, _ERROR_CODE)
        self.problem = Problem(error=error, problems=listed, error_code=code, message=message)
        super().__init__(message)


def answer_invalid(refusal: Invalid) -> JSONResponse:
    headers = {"Connection": "close"} if refusal.status in _BODY_UNREAD else {}
    if refusal.status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(refusal.problem.model_dump(mode="json"), refusal.status, headers)


def refuse_if(problems: Iterable[str]) -> None:
    """Raises Invalid with the first ten problems, if there are any."""
    if found := tuple(islice(problems, MAX_PROBLEMS)):
        raise Invalid(422, "the input does not fit the model (rows and positions count from 0)", found)


def describe(value: Any) -> str:
    """What a JSON value is, without the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return f"a list of {len(value)}"
    return "an object"

"""Who may change what answers: whoever holds the token. Questions are free."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from services.contract.errors import Refused

QUESTIONS = ("GET", "HEAD", "OPTIONS")
Answer = Callable[[Request], Awaitable[Response]]


def read_token(path: Path) -> str:
    """Raises Refused when there is none in the file."""
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: expected the token of the rollout service, cannot read it: {error}") from error
    if not token:
        raise Refused(f"{path}: expected the token of the rollout service, found an empty file")
    return token


class TokenCheck:
    """Stands before the parser: who may not ask is not listened to."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, request: Request, answer: Answer) -> Response:
        # Headers come as Latin-1, so every byte that was sent is compared.
        found = request.headers.get("authorization", "").encode("latin-1")
        if request.method in QUESTIONS or hmac.compare_digest(found, self._expected):
            return await answer(request)
        message = "expected the header 'Authorization: Bearer <token>' with the token of the rollout service"
        return JSONResponse({"message": message}, 401, {"WWW-Authenticate": "Bearer"})

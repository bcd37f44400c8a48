"""Who sends a request, by password or access token: GoCD's rules and words. Permissions are checked by each route."""

import base64
import binascii

from fastapi import Request
from fastapi.responses import Response
from starlette.middleware.base import RequestResponseEndpoint

from services.embedded.api.protocol import refusal
from services.embedded.records.users import ANONYMOUS, Users

# Paths that need no user (GoCD: AuthorizeFilterChain).
OPEN = ("/go/api/v1/health", "/go/api/version")
# Where a token counts (GoCD: AuthenticationFilterChain).
FOR_TOKENS = ("/go/api/", "/go/files/")

NOBODY = "You are not authenticated!"
BAD_PASSWORD = (
    "Invalid credentials. Either your username and password are incorrect, or there is a problem with your browser"
    " cookies. Please check with your administrator."
)
BAD_TOKEN = "Invalid Personal Access Token."
NOT_NEEDED = "{} credentials are not required, since security has been disabled on this server."


class NotAuthenticated(Exception):
    """The text is GoCD's."""


class Authentication:
    """Sets `user` and `by_token` of the request's state, or answers with a 401."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def __call__(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        try:
            user = self._user(request.url.path, request.headers.get("authorization", ""))
        except NotAuthenticated as problem:
            return self._unauthorized(request, str(problem))
        path = request.url.path
        if self._users.security and user == ANONYMOUS and path not in OPEN:
            return self._unauthorized(request, NOBODY)
        request.state.user = user
        request.state.by_token = request.headers.get("authorization", "").lower().startswith("bearer ")
        return await call_next(request)

    def _user(self, path: str, authorization: str) -> str:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._by_password(credentials)
        if scheme.lower() == "bearer" and path.startswith(FOR_TOKENS):
            return self._by_token(credentials)
        return ANONYMOUS

    def _by_password(self, credentials: str) -> str:
        if not self._users.security:
            raise NotAuthenticated(NOT_NEEDED.format("Basic authentication"))
        try:
            name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NotAuthenticated(BAD_PASSWORD) from error
        if not (user := self._users.by_password(name, password)):
            raise NotAuthenticated(BAD_PASSWORD)
        return user

    def _by_token(self, token: str) -> str:
        if not self._users.security:
            raise NotAuthenticated(NOT_NEEDED.format("Bearer authentication"))
        if not (user := self._users.by_token(token)):
            raise NotAuthenticated(BAD_TOKEN)
        return user

    def _unauthorized(self, request: Request, message: str) -> Response:
        """Asks for a password, unless a token was sent."""
        by_token = request.headers.get("authorization", "").lower().startswith("bearer ")
        challenge = {"WWW-Authenticate": 'Basic realm="GoCD"'} if self._users.security and not by_token else {}
        return refusal(request, 401, {"message": message}, challenge)

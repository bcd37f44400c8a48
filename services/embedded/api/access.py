"""The current user, and that user's access tokens."""

from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from services.embedded.api.payload import Payload, text
from services.embedded.api.protocol import CONFIRMED, NOT_FOUND, CurrentEngine, CurrentUser, accepts, answer, links
from services.embedded.clock import from_milliseconds, iso_seconds, milliseconds
from services.embedded.engine import CiEngine
from services.embedded.records.users import ANONYMOUS, AccessToken

VERSION = 1
router = APIRouter(prefix="/go/api/current_user", dependencies=[accepts(VERSION)])


def _with_a_password(engine: CurrentEngine, request: Request) -> None:
    """Raises a 404 when security is off, a 403 for a request with a token: a token cannot make tokens."""
    if not engine.users.security:
        raise HTTPException(404, "Personal access tokens are not available, since security is disabled on this server.")
    if request.state.by_token:
        raise HTTPException(403, "Unsupported operation: Accessing this API using access token is forbidden.")


WITH_A_PASSWORD = Depends(_with_a_password)


@router.get("")
def current_user(engine: CurrentEngine, user: CurrentUser) -> JSONResponse:
    if user == ANONYMOUS:
        raise HTTPException(404, NOT_FOUND)
    api = f"{engine.site.server_url}/api"
    found = {
        "_links": {
            **links(f"{api}/users/{user}", "users", f"{api}/users/:login_name"),
            "current_user": {"href": f"{api}/current_user"},
        },
        "login_name": user,
        "display_name": user,
        "enabled": True,
        "email": None,
        "email_me": False,
        "checkin_aliases": [],
    }
    return answer(VERSION, found, tagged=True)


@router.get("/access_tokens", dependencies=[WITH_A_PASSWORD])
def tokens(engine: CurrentEngine, user: CurrentUser) -> JSONResponse:
    shapes = [_shape(engine, token) for token in engine.users.tokens(user)]
    url = f"{engine.site.server_url}/api/current_user/access_tokens"
    return answer(VERSION, {"_links": links(url, "access-tokens"), "_embedded": {"access_tokens": shapes}})


@router.post("/access_tokens", dependencies=[CONFIRMED, WITH_A_PASSWORD])
def create(engine: CurrentEngine, user: CurrentUser, new: Payload) -> JSONResponse:
    """The only answer that contains the token itself."""
    description = text(new, "description")
    if not (description or "").strip():
        return answer(VERSION, _refused(engine, user, description), 422)
    token, shown = engine.users.create_token(user, description or "")
    return answer(VERSION, {**_shape(engine, token), "token": shown})


def _refused(engine: CiEngine, user: str, description: str | None) -> dict[str, Any]:
    shape = _shape(engine, AccessToken(0, user, "", milliseconds(engine.clock.now())))
    del shape["id"], shape["_links"]["self"]
    return {**shape, "description": description, "errors": {"description": ["must not be blank"]}}


def _shape(engine: CiEngine, token: AccessToken) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/current_user/access_tokens"
    return {
        "_links": links(f"{url}/{token.id}", "access-tokens", f"{url}/:id"),
        "id": token.id,
        "description": token.description,
        "username": token.user,
        "revoked": False,
        "revoke_cause": None,
        "revoked_by": None,
        "revoked_at": None,
        "created_at": iso_seconds(from_milliseconds(token.created_at)),
        "last_used_at": None,
    }

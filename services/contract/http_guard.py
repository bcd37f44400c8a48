"""Access to an HTTP service: the names under which it answers, the pages that may ask, the token for changes.

A web page may make its own name point at 127.0.0.1 (DNS rebinding), and then asks as if it were ours: the name in
`Host` gives it away. `Origin` does where it asks under our name. A token keeps out what sends neither.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

# That change nothing. Source: RFC 9110, section 9.2.1.
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
EVERYWHERE = ("0.0.0.0", "::", "")
ANY_NAME = "*"
_REMEMBERED_HOSTS = 64


@dataclass(frozen=True)
class Access:
    """`hosts` are the names that are answered, `*` any. Without a token everybody may change what there is to change.

    `read_only_paths` are paths that change nothing although they are asked by POST. A refusal's text stands in `field`.
    """

    hosts: Sequence[str] = LOOPBACK
    token: str | None = None
    read_only_paths: Sequence[str] = ()
    field: str = "message"

    @property
    def any_name(self) -> bool:
        return ANY_NAME in self.hosts


def names_of(address: str, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Those of a service that listens on `address`: the loopback ones, the address, and what its users call it."""
    own = () if address in EVERYWHERE else (f"[{address}]" if ":" in address else address,)
    return tuple(dict.fromkeys([*LOOPBACK, *own, *more]))


def split_names(text: Any) -> Any:
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


class Guard:
    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._any_name = access.any_name
        self._hosts = frozenset(host.lower() for host in access.hosts)
        self._expected = (access.token or "").encode()
        # Clients name the same host in each of their requests.
        self._is_ours = lru_cache(_REMEMBERED_HOSTS)(lambda host: _name(_text(host)) in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if refusal := self._refusal(scope):
                await self._send_refusal(*refusal, send)
                return
            if self._expected:
                scope = self._without_token(scope)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        host = _only(scope, b"host")
        if not self._any_name and not self._is_ours(host):
            return 400, (
                f"expected one Host of {', '.join(self._access.hosts)}, found another, none or several:"
                " ask under one of these, or add yours to the service's HOSTS"
            )
        if scope["method"] in SAFE_METHODS:
            return None
        if not self._any_name and not _same_origin(scope, host):
            return 403, "expected a request of this service's own, found the Origin of another: use the command line"
        if self._expected and scope["path"] not in self._access.read_only_paths and not self._known(scope):
            return 401, "expected the header 'Authorization: Bearer <token>' with the token of this service"
        return None

    def _known(self, scope: Scope) -> bool:
        scheme, _, found = _text(_only(scope, b"authorization")).partition(" ")
        # Headers come as Latin-1, so every byte that was sent is compared.
        return scheme.lower() == "bearer" and hmac.compare_digest(found.encode("latin-1"), self._expected)

    def _without_token(self, scope: Scope) -> Scope:
        """What opens this service is no key for what it passes requests on to."""
        if not self._known(scope):
            return scope
        rest = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        return {**scope, "headers": rest}

    async def _send_refusal(self, status: int, text: str, send: Send) -> None:
        body = json.dumps({self._access.field: text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _all(scope: Scope, name: bytes) -> list[bytes]:
    # ASGI gives names in lower case.
    return [value for found, value in scope["headers"] if found == name]


def _only(scope: Scope, name: bytes) -> bytes:
    """Empty when there is none, or more than one: nobody can tell which of them counts."""
    found = _all(scope, name)
    return found[0] if len(found) == 1 else b""


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip()


def _name(host: str) -> str:
    """Without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _same_origin(scope: Scope, host: bytes) -> bool:
    origins = _all(scope, b"origin")
    return not origins or all(_authority(_text(origin)) == _text(host).lower() for origin in origins)


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""

"""Access to an HTTP service: the names under which it answers, the pages that may ask, the token for changes.

A web page may make its own name point at 127.0.0.1 (DNS rebinding), and then asks as if it were ours: the name in
`Host` gives it away. `Origin` does where it asks under our name. A token keeps out what sends neither.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

# That change nothing. Source: RFC 9110, section 9.2.1.
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
EVERYWHERE = ("0.0.0.0", "::", "")
ANY_NAME = "*"


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
        self._hosts = frozenset(host.lower() for host in access.hosts)
        self._expected = (access.token or "").encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = _Headers(scope["headers"])
            if refusal := self._refusal(scope, headers):
                await self._send_refusal(*refusal, send)
                return
            scope = self._without_token(scope, headers)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: "_Headers") -> tuple[int, str] | None:
        if not self._access.any_name and _name(headers.only("host")) not in self._hosts:
            return 400, (
                f"expected one Host of {', '.join(self._access.hosts)}, found another, none or several:"
                " ask under one of these, or add yours to the service's HOSTS"
            )
        if scope["method"] in SAFE_METHODS:
            return None
        if not self._access.any_name and not _same_origin(headers):
            return 403, "expected a request of this service's own, found the Origin of another: use the command line"
        if self._access.token and scope["path"] not in self._access.read_only_paths and not self._known(headers):
            return 401, "expected the header 'Authorization: Bearer <token>' with the token of this service"
        return None

    def _known(self, headers: "_Headers") -> bool:
        scheme, _, found = headers.only("authorization").partition(" ")
        # Headers come as Latin-1, so every byte that was sent is compared.
        return scheme.lower() == "bearer" and hmac.compare_digest(found.encode("latin-1"), self._expected)

    def _without_token(self, scope: Scope, headers: "_Headers") -> Scope:
        """What opens this service is no key for what it passes requests on to."""
        if not self._access.token or not self._known(headers):
            return scope
        rest = [(name, value) for name, value in scope["headers"] if name.lower() != b"authorization"]
        return {**scope, "headers": rest}

    async def _send_refusal(self, status: int, text: str, send: Send) -> None:
        body = json.dumps({self._access.field: text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Headers:
    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = [(name.lower(), value.decode("latin-1")) for name, value in raw]

    def all(self, name: str) -> list[str]:
        return [value for found, value in self._raw if found == name.encode()]

    def only(self, name: str) -> str:
        """Empty when there is none, or more than one: nobody can tell which of them counts."""
        found = self.all(name)
        return found[0].strip() if len(found) == 1 else ""


def _name(host: str) -> str:
    """Without the port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _same_origin(headers: _Headers) -> bool:
    host = headers.only("host").lower()
    return all(_authority(origin) == host for origin in headers.all("origin"))


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.strip()).netloc.lower()
    except ValueError:
        return ""

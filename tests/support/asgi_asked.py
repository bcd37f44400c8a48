"""Asks an ASGI application without a socket."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

JSON = (b"content-type", b"application/json")


class Reply(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def ask(app: ASGIApp, body: bytes, headers: Sequence[tuple[bytes, bytes]] = (JSON,), **scope: Any) -> Reply:
    """`POST /invocations`, with the body in one piece; `scope` has what else stands there."""
    sent: list[Message] = []
    received: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(body, headers) | scope, receive, send)
    return Reply(
        status=sent[0]["status"],
        headers=sorted(sent[0]["headers"]),
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def _scope(body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/invocations",
        "raw_path": b"/invocations",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-length", b"%d" % len(body)), *headers],
    }

"""A candidate behind a socket that answers as a test says, and requests to a canary beside it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from starlette.types import Message, Receive, Scope, Send

from services.contract import names
from services.prediction.asked import Asked
from services.prediction.canary.canary import Canary
from services.prediction.observed.figures import Place

LIVE, CANDIDATE = b"live", b"candidate"
JSON = (b"content-type", b"application/json")
RELEASE = "b" * 64
Headers = Sequence[tuple[bytes, bytes]]
Reply = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Counted(defaultdict[Place, float]):
    """What a canary counts."""

    def __init__(self) -> None:
        super().__init__(float)

    def count(self, place: Place, amount: float = 1.0) -> None:
        self[place] += amount


class Given(NamedTuple):
    status: int
    body: bytes
    headers: dict[bytes, bytes]


async def live(_scope: Scope, receive: Receive, send: Send) -> None:
    """Repeats the request's body."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-from", b"live")]})
    await send({"type": "http.response.body", "body": LIVE + message["body"]})


async def ask(canary: Canary, body: bytes = b"", method: str = "POST", headers: Headers = ()) -> Given:
    sent: list[Message] = []
    scope = {
        "type": "http",
        "method": method,
        "path": "/invocations",
        "raw_path": b"/invocations",
        "query_string": b"a=1",
        "headers": [*headers],
        "asked": Asked("r-1"),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await canary(scope, receive, send)
    return Given(sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"]))


def answers(
    status: str = "200 OK", close: bool = False, body: bytes | None = None, heads: list[bytes] | None = None
) -> Reply:
    """With `body`, or as one that repeats the request's. The heads of requests are noted in `heads`."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert head.startswith(b"POST /invocations?a=1 HTTP/1.1\r\n")
            if heads is not None:
                heads.append(head)
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            asked = await reader.readexactly(length)
            answer = CANDIDATE + asked if body is None else body
            whose = f"x-from: candidate\r\n{names.RELEASE_HEADER}: {RELEASE}\r\n"
            lines = f"HTTP/1.1 {status}\r\n{whose}content-length: {len(answer)}\r\n\r\n"
            writer.write(lines.encode() + answer)
            if close:
                writer.close()
                return

    return reply


@asynccontextmanager
async def candidate(folder: Path | None, reply: Reply) -> AsyncIterator[tuple[str, list[None]]]:
    """Where it answers, a socket in `folder` or a port, and a list that has an item for each connection."""
    connections: list[None] = []
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(None)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reply(reader, writer)
        writer.close()
        ended.put_nowait(None)

    if folder:
        target = str(folder / "candidate.http")
        server = await asyncio.start_unix_server(accept, target)
    else:
        server = await asyncio.start_server(accept, "127.0.0.1")
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield target, connections
    finally:
        server.close()
        for _ in connections:
            await ended.get()
        await asyncio.sleep(0)

"""A small application behind the limited protocol, and clients of it over raw sockets, bounded by conditions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.types import Receive, Scope, Send

from services.contract.http_protocol import REFUSED, HeadLimits, LimitedProtocol, limited
from tests.support.asgi_server import AsgiServer

NET_SECONDS = 20.0
LARGE = 20 << 20
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Nothing ends by time here within a test.
SLOW = HeadLimits(
    size=4000, lines=20, seconds=600, body_seconds=600, idle_seconds=600, connections=12, connections_a_peer=6
)
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers 200; a POST first reads its body, and `/wait` is answered when `go_on` is set.

    `/large` is answered with more than a socket takes at once. `headers` and `cut` are those of the last request.
    """

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.headers: list[tuple[bytes, bytes]] = []
        self.cut: tuple[int, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wait":
            await self.go_on.wait()
        more = scope["method"] == "POST" and scope["path"] != "/deaf"
        while more:
            message = await receive()
            more = message["type"] == "http.request" and message["more_body"]
        self.headers, self.cut = scope["headers"], scope.get(REFUSED)
        body = b"ok" * (LARGE // 2 if scope["path"] == "/large" else 1)
        length = str(len(body)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": body})


class Service:
    """`connections` are those that are open."""

    def __init__(self, port: int, app: App, connections: Collection[object]) -> None:
        self.port, self.app, self.connections = port, app, connections

    async def connect(self, source: str = "127.0.0.1") -> Client:
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))

    async def whole_answer(self, parts: Iterator[bytes]) -> bytes:
        """To the connection's end, while `parts` are sent for as long as they are taken."""
        reader, writer = await self.connect()
        sending = asyncio.create_task(send_all(writer, parts))
        answer = await asyncio.wait_for(all_of(reader), NET_SECONDS)
        sending.cancel()
        await asyncio.wait([sending])
        writer.close()
        return answer

    async def is_answered(self) -> bool:
        answer = await self.whole_answer(iter([WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")]))
        return answer.startswith(b"HTTP/1.1 200 ")


async def send_all(writer: asyncio.StreamWriter, parts: Iterator[bytes]) -> None:
    with suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """A connection that is reset has ended as well."""
    answer = b""
    with suppress(ConnectionError):
        while part := await reader.read(1000):
            answer += part
    return answer


@asynccontextmanager
async def serving(limits: HeadLimits, protocol: type[LimitedProtocol] | None = None) -> AsyncIterator[Service]:
    app = App()
    config = uvicorn.Config(app, port=0, http=protocol or limited(limits), ws="none", lifespan="off", log_config=None)
    server = AsgiServer(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield Service(server.servers[0].sockets[0].getsockname()[1], app, server.server_state.connections)
    app.go_on.set()
    await server.shutdown()


def tell(limits: HeadLimits, scenario: Callable[[Service], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(limits) as service:
            await scenario(service)

    asyncio.run(run())

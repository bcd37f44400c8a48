"""One connection to a candidate, on which requests follow each other."""

import asyncio
from typing import NamedTuple, Self

import httptools

from services.contract.control_protocol import host_and_port

Headers = list[tuple[bytes, bytes]]
# Of the connection, not of the answer. Source: RFC 9110, section 7.6.1.
_OF_A_CONNECTION = (b"connection", b"keep-alive", b"transfer-encoding", b"te", b"upgrade", b"content-length", b"host")
_PART_BYTES = 1 << 16
# Containers are next door: one that does not take a connection soon has gone.
_CONNECT_SECONDS = 1.0


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.reusable = True

    @classmethod
    async def open(cls, target: str) -> Self:
        """To one of the targets of a Split. Raises OSError, TimeoutError among them."""
        if address := host_and_port(target):
            async with asyncio.timeout(_CONNECT_SECONDS):
                return cls(*await asyncio.open_connection(*address))
        return cls(*await asyncio.open_unix_connection(target))

    async def ask(self, method: str, path: bytes, headers: Headers, body: bytes) -> Answer:
        """Raises OSError when the connection ends before the answer does, or the answer is no HTTP."""
        self._writer.write(_request(method, path, headers, body))
        reading = _Reading()
        parser = reading.parser
        while not reading.ended:
            if not (part := await self._reader.read(_PART_BYTES)):
                raise ConnectionResetError("the candidate closed the connection before the end of its answer")
            try:
                parser.feed_data(part)
            except httptools.HttpParserError as error:
                raise ConnectionError("the candidate's answer is no HTTP") from error
        self.reusable = reading.keep_alive
        kept = [one for one in reading.headers if one[0] not in _OF_A_CONNECTION]
        return Answer(parser.get_status_code(), kept, bytes(reading.body))

    def close(self) -> None:
        self._writer.close()


class _Reading:
    """What the parser finds. `ended` is set when the answer is whole."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.keep_alive = False
        self.headers: Headers = []
        self.body = bytearray()
        self.ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        # It can be asked only now.
        self.ended, self.keep_alive = True, self.parser.should_keep_alive()


def _request(method: str, path: bytes, headers: Headers, body: bytes) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (method.encode(), path), b"host: candidate", b"content-length: %d" % len(body)]
    lines += [b"%s: %s" % one for one in headers if one[0] not in _OF_A_CONNECTION]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body

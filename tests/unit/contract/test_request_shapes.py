"""Requests that two servers may read differently are refused, and what is not refused is answered in its turn."""

import asyncio
import re
from dataclasses import replace

import pytest

from services.contract.http_protocol import PIPELINED
from tests.support.raw_http import CHUNKED, HEAD, NET_SECONDS, SLOW, WHOLE, Service, all_of, tell

GET = b"GET / HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
LAST = WHOLE[:-2] + b"Connection: close\r\n\r\n"
CODING = b"Transfer-Encoding: "
BODY = b"1\r\nx\r\n0\r\n\r\n"


def sized(value: bytes) -> bytes:
    return HEAD + b"Content-Length: " + value + b"\r\n\r\nx"


def coded(*values: bytes) -> bytes:
    return HEAD + b"".join(CODING + value + b"\r\n" for value in values) + b"\r\n" + BODY


def chunked(chunks: bytes) -> bytes:
    return HEAD + CODING + b"chunked\r\n\r\n" + chunks


REFUSED_SHAPES = {
    "a length and a coding": HEAD + b"Content-Length: 1\r\n" + CODING + b"chunked\r\n\r\n" + BODY,
    "a coding and a length": HEAD + CODING + b"chunked\r\nContent-Length: 1\r\n\r\n" + BODY,
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a list of lengths": sized(b"1, 1"),
    "a length with a plus": sized(b"+1"),
    "a negative length": sized(b"-1"),
    "a length in hexadecimal": sized(b"0x1"),
    "no length in its header": sized(b""),
    "a length beyond 64 bits": sized(b"18446744073709551617"),
    "a length behind a vertical tab": sized(b"\x0b1"),
    "a folded header": HEAD + b"X-A: b\r\n c\r\nContent-Length: 1\r\n\r\nx",
    "a fold in front of all headers": GET + b" Host: localhost\r\n\r\n",
    "a space in front of the colon": HEAD + b"Content-Length : 1\r\n\r\nx",
    "lines that end in LF": WHOLE.replace(b"\r\n", b"\n"),
    "one line that ends in LF": GET + HOST + b"X-A: b\n\r\n",
    "a line that ends in CR": GET + HOST + b"X-A: b\rX-B: c\r\n\r\n",
    "a NUL in a value": GET + HOST + b"X-A: a\x00b\r\n\r\n",
    "a NUL in a name": GET + HOST + b"X\x00A: b\r\n\r\n",
    "a header without a name": GET + HOST + b": b\r\n\r\n",
    "a header without a colon": GET + HOST + b"b\r\n\r\n",
    "a coding that only ends in chunked": coded(b"xchunked"),
    "a quoted coding": coded(b'"chunked"'),
    "a coding with a parameter": coded(b"chunked;q=1"),
    "another coding under chunked": coded(b"gzip, chunked"),
    "identity under chunked": coded(b"identity, chunked"),
    "another coding in a header of its own": coded(b"gzip", b"chunked"),
    "chunked twice": coded(b"chunked", b"chunked"),
    "chunked, but not at last": coded(b"chunked, identity"),
    "no coding in its header": coded(b""),
    "chunks of an older version": coded(b"chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a chunk beyond 64 bits": chunked(b"10000000000000001\r\nx\r\n0\r\n\r\n"),
    "a negative chunk": chunked(b"-1\r\nx\r\n0\r\n\r\n"),
    "a chunk's size with 0x": chunked(b"0x1\r\nx\r\n0\r\n\r\n"),
    "a chunk's size and a space": chunked(b"1 \r\nx\r\n0\r\n\r\n"),
    "a chunk's line that ends in LF": chunked(b"1\nx\r\n0\r\n\r\n"),
    "a note beside a chunk that ends in LF": chunked(b"1;a=b\nx\r\n0\r\n\r\n"),
    "a chunk longer than its size": chunked(b"1\r\nxx\r\n0\r\n\r\n"),
    "a chunk without a size": chunked(b"\r\nx\r\n0\r\n\r\n"),
    "a trailer that is a length": chunked(b"0\r\nContent-Length: 5\r\n\r\n"),
    "two hosts": GET + HOST + HOST + b"\r\n",
    "no host": GET + b"\r\n",
    "an authority that is not the host": b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "an authority with a user": b"GET http://a:b@localhost/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target of another scheme": b"GET ftp://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target with a fragment": b"GET /#a HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\n" + HOST + b"\r\n",
    "HTTP/2 by name": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel to a path": b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
}


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


@pytest.mark.parametrize("shape", REFUSED_SHAPES)
def test_a_request_that_can_be_read_in_two_ways_is_refused_once_and_nothing_behind_it_is_answered(shape: str) -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([REFUSED_SHAPES[shape] + LAST]))
        assert statuses(answer) == [400], answer
        assert b'{"error": "expected ' in answer

    tell(SLOW, scenario)


TAKEN = {
    "a length with zeros in front": sized(b"0001"),
    "a length between tabs": HEAD + b"Content-Length:\t1\t\r\n\r\nx",
    "chunked in capitals": coded(b"CHUNKED"),
    "a note beside a chunk": chunked(b"1;a=b\r\nx\r\n0\r\n\r\n"),
    "a trailer": chunked(b"1\r\nx\r\n0\r\nX-Digest: 1\r\n\r\n"),
    "the host's own authority": b"GET http://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "empty lines in front": b"\r\n\r\n" + WHOLE,
    "a body that nobody asks for": WHOLE[:-2] + b"Content-Length: 1\r\n\r\nx",
    "an offer of HTTP/2": WHOLE[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "an offer of HTTP/2 beside a body": HEAD
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 1\r\n\r\nx",
    "an offer of WebSocket": WHOLE[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("shape", TAKEN)
def test_a_request_that_can_be_read_in_one_way_only_is_answered_and_so_is_the_next(shape: str) -> None:
    async def scenario(service: Service) -> None:
        # In one piece, and byte by byte.
        for parts in ([TAKEN[shape] + LAST], [bytes([byte]) for byte in TAKEN[shape] + LAST]):
            assert statuses(await service.whole_answer(iter(parts))) == [200, 200]

    tell(SLOW, scenario)


def test_a_trailer_becomes_no_header() -> None:
    async def scenario(service: Service) -> None:
        sent = [CHUNKED, b"0\r\nAuthorization: Bearer x\r\n\r\n"]
        reader, writer = await service.connect()
        writer.writelines(sent)
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"ok"), NET_SECONDS)
        assert [name for name, _ in service.app.headers] == [b"host", b"transfer-encoding"]
        writer.close()

    tell(SLOW, scenario)


def test_what_is_broken_behind_a_request_is_refused_after_its_answer() -> None:
    async def scenario(service: Service) -> None:
        for broken in (b"GARBAGE\r\n\r\n", sized(b"-1"), chunked(b"-1\r\n")):
            answer = await service.whole_answer(iter([WHOLE * 3 + broken + LAST]))
            assert statuses(answer) == [200, 200, 200, 400], answer

    tell(SLOW, scenario)


def test_so_many_requests_wait_on_one_connection_and_more_are_announced_to_be_too_many() -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([WHOLE * 1000]))
        assert statuses(answer) == [200] * (PIPELINED + 1) + [503]
        assert b"retry-after: 1\r\n" in answer

    tell(SLOW, scenario)


def test_the_size_of_each_head_counts_where_many_come_at_once() -> None:
    async def scenario(service: Service) -> None:
        long = WHOLE[:-2] + b"X-A: " + b"a" * SLOW.size + b"\r\n\r\n"
        assert statuses(await service.whole_answer(iter([WHOLE + long]))) == [200, 431]
        fitting = WHOLE[:-2] + b"X-A: " + b"a" * (SLOW.size - 100) + b"\r\n\r\n"
        assert statuses(await service.whole_answer(iter([fitting * 3 + LAST]))) == [200] * 4

    tell(SLOW, scenario)


def test_a_body_that_is_late_ends_with_words_and_its_application_hears_which() -> None:
    async def scenario(service: Service) -> None:
        answer = await service.whole_answer(iter([HEAD + b"Content-Length: 10\r\n\r\nx"]))
        assert statuses(answer) == [408]
        assert service.app.cut == (408, "expected the body within 0.1 s, it was slower")

    tell(replace(SLOW, body_seconds=0.1), scenario)


def test_a_client_that_has_closed_its_side_is_answered_where_it_has_asked_something_whole() -> None:
    async def scenario(service: Service) -> None:
        for sent, expected in ((WHOLE, [200]), (WHOLE * 2, [200, 200]), (HEAD, [400]), (CHUNKED, [400]), (b"", [])):
            reader, writer = await service.connect()
            writer.write(sent)
            writer.write_eof()
            assert statuses(await asyncio.wait_for(all_of(reader), NET_SECONDS)) == expected
            writer.close()

    tell(SLOW, scenario)


def test_a_client_that_takes_nothing_of_its_answer_loses_its_connection() -> None:
    async def scenario(service: Service) -> None:
        reader, writer = await service.connect()
        writer.write(WHOLE.replace(b" / ", b" /large "))
        assert await asyncio.wait_for(reader.read(1000), NET_SECONDS)
        # The stream takes as much as it likes, and stops then.
        while service.connections:
            await asyncio.sleep(0)
        writer.close()

    tell(replace(SLOW, idle_seconds=0.2), scenario)

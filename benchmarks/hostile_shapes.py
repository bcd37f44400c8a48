"""Requests that mean harm, made from recorded valid ones; the same seed and number make the same request.

Bytes are changed anywhere, a JSON body anywhere in its structure, and headers by what servers are known to differ in.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

# Stands in what is sent, and must not come back in a refusal.
MARKER = "zqxjk"
# Of a list, so that a few changes do not make it longer than a service is ever sent.
MOST_REPEATED = 3
POST = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"
JSON_TYPE = b"Content-Type: application/json\r\n"
CSV_TYPE = b"Content-Type: text/csv\r\n"
ROWS = [[0.3, "Ideal", 1], [0.7, "Fair", 2], [1.5, "Good", 3]]
COLUMNS = ["carat", "cut", "grade"]
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
BODIES: tuple[dict[str, Any], ...] = (
    {"instances": ROWS},
    {"instances": ROWS[:1]},
    {"inputs": ROWS},
    {"inputs": dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True))},
    {"inputs": RECORDS},
    {"instances": RECORDS, "params": {"predict_method": "predict"}},
    {"dataframe_split": {"columns": COLUMNS, "data": ROWS}},
    {"dataframe_split": {"columns": COLUMNS[::-1], "data": [row[::-1] for row in ROWS], "index": [0, 1, 2]}},
    {"dataframe_records": RECORDS},
)
TABLES = (b"carat,cut,grade\n0.3,Ideal,1\n0.7,Fair,2\n", b'grade,carat,cut\r\n1,0.3,"Ideal"\r\n')
PATHS = ("/ping", "/health", "/version", "/health/live", "/health/ready", "/metadata", "/openapi.json", "/docs", "/")


@dataclass(frozen=True)
class Sent:
    """`status` is what the answer to all of it must be, 0 where any refusal or answer will do.

    A `framed` one is one request with a correct length, whose connection can be used again. Of another the client ends
    its side, or where it is `slow` sends nothing more and waits.
    """

    data: bytes
    status: int = 0
    framed: bool = False
    slow: bool = False


def hostile_request(seed: int, number: int) -> Sent:
    random = Random(seed << 40 | number)
    return random.choices(_MAKERS, _WEIGHTS)[0](random)


def request_of(body: bytes, kind: bytes = JSON_TYPE, more: bytes = b"") -> bytes:
    return POST + kind + more + b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


def chunked(body: bytes, random: Random, trailers: bytes = b"") -> bytes:
    parts, rest = [], body
    while rest:
        size = random.randint(1, len(rest))
        note = random.choice((b"", b"", b";note=1"))
        parts.append(f"{size:x}".encode() + note + b"\r\n" + rest[:size] + b"\r\n")
        rest = rest[size:]
    return POST + JSON_TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n" + trailers + b"\r\n"


def valid_body(random: Random) -> bytes:
    return json.dumps(random.choice(BODIES)).encode()


def valid(random: Random) -> Sent:
    """What must go on being answered while everything else is sent."""
    choice = random.randrange(4)
    if choice == 0:
        return Sent(request_of(random.choice(TABLES), CSV_TYPE), 200, framed=True)
    if choice == 1:
        trailers = random.choice((b"", b"X-Digest: " + MARKER.encode() + b"\r\n"))
        return Sent(chunked(valid_body(random), random, trailers), 200, framed=True)
    if choice == 2:
        return Sent(f"GET {random.choice(PATHS[:-1])} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), 200, framed=True)
    return Sent(request_of(valid_body(random)), 200, framed=True)


def changed_bytes(random: Random) -> Sent:
    """One to eight changes anywhere in a request, or in several that are sent at once."""
    data = bytearray(b"".join(valid(random).data for _ in range(random.choice((1, 1, 1, 1, 1, 1, 2, 4)))))
    for _ in range(random.randint(1, 8)):
        random.choice(_BYTE_CHANGES)(data, random)
    return Sent(bytes(data))


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _insert(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.choice(TOKENS)


def _remove(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    del data[at : at + random.randint(1, 20)]


def _repeat(data: bytearray, random: Random) -> None:
    at = random.randint(0, len(data))
    data[at:at] = data[at : at + random.randint(1, 60)] * random.randint(1, 4)


def _swap(data: bytearray, random: Random) -> None:
    at, size = random.randint(0, len(data)), random.randint(1, 30)
    data[:] = data[at : at + size] + data[:at] + data[at + size :]


TOKENS = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b":", b" ", b"\t", b";", b"0\r\n\r\n", b"\xff\xfe", b"\x0b", b"%00"),
    *(b"#", b"?", b"//", b"http://", b"HTTP/1.0", b"HTTP/0.9", b"chunked", b"Transfer-Encoding: chunked\r\n", b"-1"),
    *(b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n", b"Expect: 100-continue\r\n", b"{", b"["),
    *(b"Connection: close\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Host: evil\r\n", b"ffffffffffffffff"),
    *(MARKER.encode(), b"a" * 5000, b"\xed\xa0\x80", b"1e400", b"NaN", b'"', b"\\u0000", b"\\ud800", b",", b"GET "),
)
_BYTE_CHANGES: Sequence[Callable[[bytearray, Random], None]] = (_flip, _insert, _insert, _remove, _repeat, _swap)


def changed_json(random: Random) -> Sent:
    """Where a value stood is another, in a body whose length is right."""
    body = json.loads(valid_body(random))
    for _ in range(random.choice((1, 1, 2, 5))):
        body = _with_another(body, random)
    text = json.dumps(body)
    for placeholder, literal in _LITERALS.items():
        text = text.replace(f'"{placeholder}"', literal)
    return Sent(request_of(_written(text, random)), framed=True)


def _with_another(value: Any, random: Random) -> Any:
    """Goes down a random way, and puts something else at its end."""
    if not isinstance(value, list | dict) or not value or random.random() < 0.15:
        return _another(value, random)
    if isinstance(value, list):
        place = random.randrange(len(value))
        if random.random() < 0.1 and len(value) <= MOST_REPEATED:
            return value + value * random.choice((1, 400))
        return [_with_another(one, random) if at == place else one for at, one in enumerate(value)]
    name = random.choice(tuple(value))
    rest = {other: one for other, one in value.items() if other != name}
    if random.random() < 0.2:
        return {**rest, random.choice(NAMES): value[name]}
    return rest if random.random() < 0.1 else {**value, name: _with_another(value[name], random)}


def _another(value: Any, random: Random) -> Any:
    choice = random.randrange(len(VALUES) + 3)
    if choice < len(VALUES):
        return VALUES[choice]
    return ([value], {"a": value}, random.choice(tuple(_LITERALS)))[choice - len(VALUES)]


NAMES = ("", "carat", "instances", "inputs", "dataframe_split", "params", MARKER, "\ud800", "__proto__", "a" * 3000)
VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], "", MARKER, "1", "NaN", "\ud800", "\0", "a" * 20_000, "\U0001f600"),
    *(0, -1, 2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 5e-324, 0.1, {"a": {"a": {"a": 1}}}, [MARKER] * 50),
    *("2020-02-30", "'; DROP TABLE models; --", "../../../etc/passwd", "${jndi:ldap://localhost/a}", "<script>"),
)
# What json.dumps cannot write.
_LITERALS = {
    "<nan>": "NaN",
    "<infinity>": "-Infinity",
    "<overflow>": "1e400",
    "<digits>": "1" * 5000,
    "<deep>": "[" * 20_000 + "]" * 20_000,
    "<deep object>": '{"a":' * 5000 + "1" + "}" * 5000,
    "<twice>": '{"carat": 1, "carat": 2}',
    "<comment>": "/* */ 1",
    "<comma>": "[1,]",
    "<plus>": "+1",
    "<zero>": "01",
    "<single>": "'a'",
    "<escape>": '"\\x41"',
    "<half>": '"\\udc00\\ud800"',
}


def _written(text: str, random: Random) -> bytes:
    encoding = random.choices(("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-7"), (40, 1, 1, 1, 1, 1))[0]
    body = text.encode(encoding, "replace")
    return body + random.choice((b"", b"", b"", b"", b"\0", b" x", b"{}", b"\n")) if random.random() < 0.2 else body


def changed_table(random: Random) -> Sent:
    table = bytearray(random.choice(TABLES))
    for _ in range(random.randint(1, 6)):
        random.choice(_BYTE_CHANGES)(table, random)
    return Sent(request_of(bytes(table), CSV_TYPE), framed=True)


def changed_headers(random: Random) -> Sent:
    """Lines that servers are known to differ in, beside a valid body."""
    body = valid_body(random)
    lines = [b"Host: localhost", JSON_TYPE.strip(), b"Content-Length: " + str(len(body)).encode()]
    for _ in range(random.randint(1, 3)):
        lines.insert(random.randint(0, len(lines)), random.choice(LINES))
    if random.random() < 0.3:
        del lines[random.randrange(len(lines))]
    end = random.choice((b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
    head = end.join([random.choice(FIRST_LINES), *lines]) + end * 2
    return Sent(head + random.choice((body, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")))


FIRST_LINES = (
    *(b"POST /invocations HTTP/1.1",) * 8,
    *(method + b" /invocations HTTP/1.1" for method in (b"GET", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT")),
    *(
        b"POST " + target + b" HTTP/1.1"
        for target in (b"*", b"http://localhost/invocations", b"http://evil/", b"//a/b")
    ),
    *(b"POST /" + path + b" HTTP/1.1" for path in (b"%00", b"%ff", b"..%2f..", b"a" * 9000, b"\xff", b"#a", b"docs/")),
    *(
        b"POST /invocations " + version
        for version in (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.10", b"RTSP/1.0")
    ),
    *(b"POST /invocations", b"PRI * HTTP/2.0", b"", b" ", b"\x16\x03\x01"),
)
LINES = (
    *(b"Transfer-Encoding: " + coding for coding in (b"chunked", b"xchunked", b"gzip, chunked", b"identity", b"")),
    *(b"Content-Length: " + length for length in (b"0", b"5", b"+5", b"5, 5", b"-1", b"0x5", b"1e3", b"9" * 30, b"")),
    *(b"Content-Type: " + kind for kind in (b"text/csv", b"text/html", b"application/json; charset=utf-16", b"\xff")),
    *(b"Content-Encoding: " + coding for coding in (b"gzip", b"br", b"identity", b"deflate, gzip")),
    *(b"Host: " + host for host in (b"evil.example", b"localhost", b"", b"localhost:99999", b"[::1", b"a@localhost")),
    *(b"Expect: 100-continue", b"Expect: " + MARKER.encode(), b"Connection: close", b"Connection: keep-alive, close"),
    *(b"Upgrade: h2c\r\nConnection: Upgrade", b"Upgrade: websocket\r\nConnection: upgrade", b"TE: trailers"),
    *(b" folded", b"\tfolded", b"X-A : b", b": b", b"X-A", b"X-A: a\0b", b"X-A: a\rb", b"X-A: a\nb", b"X\xff: a"),
    *(b"Origin: null", b"Origin: http://evil.example", b'X-Forwarded-Prefix: /"><script>', b"Cookie: " + b"a" * 9000),
    *(b"X-A: " + b"a" * 40_000, b"\r\n".join([b"X-A: b"] * 120), b"Range: bytes=0-1", b"Trailer: Content-Length"),
    *(b"traceparent: " + MARKER.encode(), b"X-Request-Id: " + b"a" * 5000, b"X-Request-Id: \xff", b"Accept: \xff"),
)


def several(random: Random) -> Sent:
    """Valid requests that are sent ahead of their answers, then perhaps something else."""
    asked = [valid(random).data for _ in range(random.choice((2, 3, 3, 20)))]
    last = random.choice((b"", b"", changed_bytes(random).data, b"GARBAGE\r\n\r\n"))
    return Sent(b"".join(asked) + last, 0 if last else 200)


def half(random: Random) -> Sent:
    """The begin of a request, and then silence until the service has had enough."""
    data = valid(random).data
    return Sent(data[: random.randrange(len(data))], slow=True)


def large(random: Random) -> Sent:
    """As many small things as fit into the bytes that are allowed, which cost most to read."""
    unit, start, end = random.choice(
        ((b"[],", b'{"instances":[', b"[]]}"), (b"{},", b'{"inputs":[', b"{}]}"), (b"1,", b'{"inputs":[', b"1]}"))
    )
    size = random.choice((30_000, 300_000, 999_000, 1_500_000))
    return Sent(request_of(start + unit * (size // len(unit)) + end))


_SHARES: dict[Callable[[Random], Sent], float] = {
    valid: 6,
    changed_bytes: 30,
    changed_json: 30,
    changed_table: 8,
    changed_headers: 15,
    several: 2,
    half: 0.2,
    large: 0.1,
}
_MAKERS, _WEIGHTS = tuple(_SHARES), tuple(_SHARES.values())

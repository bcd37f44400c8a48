"""An object store on 127.0.0.1 with as much of S3's protocol as Hadoop's client speaks; objects are in memory."""

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_WHEN = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Objects:
    """By `bucket/key`; `uploads` are those of several parts that are not complete yet."""

    content: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    url: str = ""

    def below(self, prefix: str) -> dict[str, bytes]:
        return {key.removeprefix(prefix): self.content[key] for key in sorted(self.content) if key.startswith(prefix)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _objects(self) -> Objects:
        found: Objects = cast(Any, self.server).objects
        return found

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:  # noqa: N802  of http.server
        self.do_GET()

    def do_GET(self) -> None:  # noqa: N802
        name, query = self._asked()
        if "/" not in name or "list-type" in query:
            self._answer(200, _listing(self._objects, name.rstrip("/"), query))
        elif (content := self._objects.content.get(name)) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._give(content)

    def do_PUT(self) -> None:  # noqa: N802
        (name, query), body = self._asked(), self._body()
        if source := self.headers.get("x-amz-copy-source"):
            self._objects.content[name] = self._objects.content[unquote(source).lstrip("/")]
            self._answer(200, f"<CopyObjectResult><ETag>{_etag(self._objects.content[name])}</ETag></CopyObjectResult>")
        elif "uploadId" in query:
            self._objects.uploads[query["uploadId"]][int(query["partNumber"])] = body
            self._answer(200, b"", {"ETag": _etag(body)})
        else:
            self._objects.content[name] = body
            self._answer(200, b"", {"ETag": _etag(body)})

    def do_POST(self) -> None:  # noqa: N802
        (name, query), body = self._asked(), self._body().decode()
        if "delete" in query:
            for key in re.findall("<Key>(.*?)</Key>", body):
                self._objects.content.pop(f"{name.rstrip('/')}/{key}", None)
            self._answer(200, "<DeleteResult></DeleteResult>")
        elif "uploads" in query:
            self._objects.uploads[identity := str(len(self._objects.uploads))] = {}
            self._answer(
                200, f"<InitiateMultipartUploadResult><UploadId>{identity}</UploadId></InitiateMultipartUploadResult>"
            )
        else:
            parts = self._objects.uploads.pop(query["uploadId"])
            self._objects.content[name] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_DELETE(self) -> None:  # noqa: N802
        self._objects.content.pop(self._asked()[0], None)
        self._answer(204, b"")

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return unquote(parts.path).lstrip("/"), query

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return _unchunked(body) if "aws-chunked" in self.headers.get("Content-Encoding", "") else body

    def _give(self, content: bytes) -> None:
        whole, headers = len(content), {"ETag": _etag(content), "Last-Modified": f"{_WHEN:%a, %d %b %Y %H:%M:%S} GMT"}
        if not (wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))):
            return self._answer(200, content, headers)
        first, last = int(wanted[1]), min(int(wanted[2] or whole), whole - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{whole}"
        return self._answer(206, content[first : last + 1], headers)

    def _answer(self, status: int, body: bytes | str, headers: Mapping[str, str] = {}) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _listing(objects: Objects, bucket: str, query: Mapping[str, str]) -> str:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    found, folders = [], set()
    for key, content in objects.below(f"{bucket}/").items():
        if not key.startswith(prefix):
            continue
        inner, separator, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if separator:
            folders.add(prefix + inner + delimiter)
        else:
            found.append(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>{_etag(content)}</ETag>"
                f"<LastModified>{_WHEN:%Y-%m-%dT%H:%M:%S.000Z}</LastModified></Contents>"
            )
    listed = "".join(found) + "".join(
        f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders
    )
    count = len(found) + len(folders)
    told = f"<Name>{bucket}</Name><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>"
    return f"<ListBucketResult>{told}{listed}</ListBucketResult>"


def _unchunked(body: bytes) -> bytes:
    """Without the sizes and signatures of Amazon's own chunks."""
    content = b""
    while body:
        head, _, rest = body.partition(b"\r\n")
        if not (size := int(head.partition(b";")[0], 16)):
            break
        content, body = content + rest[:size], rest[size + 2 :]
    return content


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@contextmanager
def object_store() -> Iterator[Objects]:
    objects = Objects()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        cast(Any, server).objects = objects
        objects.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield objects
        finally:
            server.shutdown()
            thread.join()

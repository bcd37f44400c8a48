"""The part of a container registry's HTTP API that pushing a release image needs, without a Docker daemon.

Paths, status codes and media types: OCI Distribution Specification 1.1 and Docker's Image Manifest V2, Schema 2.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from services.contract.errors import Refused

Json = dict[str, Any]

# Not compressed: what a compressor writes changes with its version, and with it the digest would.
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_BYTES = "application/octet-stream"
_SECONDS = 120.0
_CONNECT_TRIES = 4


@dataclass(frozen=True)
class Document:
    """A manifest or index as the registry has it; its digest is that of its bytes, `body`."""

    content: Json
    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return sha256_of(self.body)


class ImageRegistry:
    """Every method raises Refused when the registry cannot be reached, says no, or answers something else."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        address = httpx.URL(url.rstrip("/"))
        self.url = str(address.copy_with(userinfo=b""))
        self._http = httpx.Client(
            auth=(address.username, address.password) if address.userinfo else None,
            transport=transport or httpx.HTTPTransport(retries=_CONNECT_TRIES),
            timeout=_SECONDS,
            follow_redirects=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def tags(self, repository: str) -> list[str]:
        """Sorted; none of a repository that is not there."""
        answer = self._send("GET", f"/v2/{repository}/tags/list", expected=(200, 404))
        return sorted(self._json(answer).get("tags") or []) if answer.status_code == 200 else []

    def find(self, repository: str, reference: str) -> Document | None:
        """The manifest or index of a tag or digest."""
        accept = {"Accept": ", ".join((*MANIFESTS, *INDEXES))}
        answer = self._send("GET", f"/v2/{repository}/manifests/{reference}", accept, expected=(200, 404))
        if answer.status_code == 404:
            return None
        content = self._json(answer)
        media_type = content.get("mediaType") or answer.headers.get("Content-Type", "")
        return Document(content, answer.content, media_type)

    def has_manifest(self, repository: str, digest: str) -> bool:
        accept = {"Accept": ", ".join(MANIFESTS)}
        return self._is_there(f"/v2/{repository}/manifests/{digest}", accept)

    def has_blob(self, repository: str, digest: str) -> bool:
        return self._is_there(f"/v2/{repository}/blobs/{digest}")

    def json_blob(self, repository: str, digest: str) -> Json:
        return self._json(self._blob(repository, digest))

    def blob(self, repository: str, digest: str) -> bytes:
        """A small one: a configuration."""
        return self._blob(repository, digest).content

    def download(self, repository: str, digest: str, target: Path) -> None:
        """A layer. Whoever reads it compares its bytes with its digest, as it must anyway."""
        url, plain = f"{self.url}/v2/{repository}/blobs/{digest}", {"Accept-Encoding": "identity"}
        with self._reachable(), self._http.stream("GET", url, headers=plain) as answer, target.open("wb") as file:
            self._refuse_unless(answer, (200,))
            for part in answer.iter_bytes():
                file.write(part)

    def _blob(self, repository: str, digest: str) -> httpx.Response:
        answer = self._send("GET", f"/v2/{repository}/blobs/{digest}", expected=(200,))
        if (found := sha256_of(answer.content)) != digest:
            raise Refused(f"expected {digest} of {self.url}, found {found}: its blob was changed")
        return answer

    def upload(self, repository: str, digest: str, content: bytes | Path) -> None:
        begun = self._send("POST", f"/v2/{repository}/blobs/uploads/", expected=(202,))
        if isinstance(content, bytes):
            self._finish(begun, digest, content, {})
        else:
            with content.open("rb") as file:
                self._finish(begun, digest, file, {})

    def take_over(self, repository: str, digest: str, source: str) -> None:
        """A blob of another repository; copied only where the registry does not lend it."""
        query = {"mount": digest, "from": source}
        begun = self._send("POST", f"/v2/{repository}/blobs/uploads/", params=query, expected=(201, 202))
        if begun.status_code == 201:
            return
        plain = {"Accept-Encoding": "identity"}
        with (
            self._reachable(),
            self._http.stream("GET", f"{self.url}/v2/{source}/blobs/{digest}", headers=plain) as blob,
        ):
            self._refuse_unless(blob, (200,))
            length = {name: blob.headers[name] for name in ("Content-Length",) if name in blob.headers}
            self._finish(begun, digest, blob.iter_bytes(), length)

    def put_manifest(self, repository: str, digest: str, content: bytes, media_type: str) -> None:
        path, kind = f"/v2/{repository}/manifests/{digest}", {"Content-Type": media_type}
        self._send("PUT", path, kind, content=content, expected=(201,))

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Nothing to do where there is none. Source: OCI Distribution Specification 1.1, "Deleting Manifests"."""
        self._send("DELETE", f"/v2/{repository}/manifests/{digest}", expected=(202, 404))

    def _finish(
        self, begun: httpx.Response, digest: str, content: bytes | Iterable[bytes], headers: Mapping[str, str]
    ) -> None:
        place = begun.url.join(begun.headers["Location"]).copy_add_param("digest", digest)
        self._send("PUT", str(place), {"Content-Type": _BYTES, **headers}, content=content, expected=(201,))

    def _is_there(self, path: str, headers: Mapping[str, str] | None = None) -> bool:
        return self._send("HEAD", path, headers, expected=(200, 404)).status_code == 200

    def _send(
        self,
        method: str,
        place: str,
        headers: Mapping[str, str] | None = None,
        *,
        expected: tuple[int, ...],
        params: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
    ) -> httpx.Response:
        url = httpx.URL(self.url + "/").join(place)
        with self._reachable():
            answer = self._http.request(method, url, headers=headers, params=params, content=content)
        self._refuse_unless(answer, expected)
        return answer

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Refused(
                f"expected a container registry at {self.url}, cannot reach it ({reason}): is it up?"
            ) from error

    def _refuse_unless(self, answer: httpx.Response, expected: tuple[int, ...]) -> None:
        if answer.status_code in expected:
            return
        answer.read()
        request, hint = answer.request, ""
        if answer.status_code in (401, 403):
            hint = ": give a user who may push, as http://user:password@… in TRACKBACK_REGISTRY_URL"
        raise Refused(
            f"expected the registry {self.url} to accept {request.method} {request.url.path}, "
            f"found {answer.status_code}: {_message(answer)}{hint}"
        )

    def _json(self, answer: httpx.Response) -> Json:
        try:
            return dict(answer.json())
        except (ValueError, TypeError) as error:
            raise Refused(
                f"expected JSON of a container registry at {answer.url}, found something else: is it one?"
            ) from error


def sha256_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def canonical(content: Json) -> bytes:
    """Equal documents have equal bytes, and so equal digests."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["errors"][0]["message"])
    except (ValueError, KeyError, TypeError, IndexError):
        return answer.text[:200].replace("\n", " ") or answer.reason_phrase

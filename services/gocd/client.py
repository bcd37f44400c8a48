"""The part of GoCD's REST API that Trackback uses; the same against a real GoCD and the embedded CI server.

Paths, Accept versions and fields: GoCD 26.1 API reference.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from services.contract.errors import Refused

Json = dict[str, Any]


class GoCD:
    """Every method raises Refused when GoCD cannot be reached or says no."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._http = httpx.Client(base_url=self._url, headers=headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def repositories(self) -> list[Json]:
        return list(self._get("/api/admin/repositories", 1)["_embedded"]["package_repositories"])

    def packages(self) -> list[Json]:
        return list(self._get("/api/admin/packages", 2)["_embedded"]["packages"])

    def create_repository(self, repository: Json) -> Json:
        return self._post("/api/admin/repositories", 1, repository)

    def create_package(self, package: Json) -> Json:
        return self._post("/api/admin/packages", 2, package)

    def package_material(self, package: str) -> Json | None:
        """The material of a package that some pipeline uses, None when GoCD does not poll it (yet)."""
        materials = self._get("/api/internal/materials", 1)["materials"]
        return next((one for one in materials if one["config"]["attributes"].get("ref") == package), None)

    def trigger_update(self, fingerprint: str) -> bool:
        """Lets GoCD poll a material now; False when a poll is under way already."""
        path = f"/api/internal/materials/{fingerprint}/trigger_update"
        answer = self._send("POST", path, 1, expected=(201, 409))
        return answer.status_code == 201

    def trigger_package(self, package: str) -> bool:
        """Lets GoCD look at a package now; False when GoCD will come to it at its own time."""
        material = self.package_material(package)
        return material is not None and self.trigger_update(material["config"]["fingerprint"])

    def history(self, pipeline: str, page_size: int = 10) -> list[Json]:
        """The newest instances of a pipeline, newest first."""
        return list(self._get(f"/api/pipelines/{pipeline}/history?page_size={page_size}", 1)["pipelines"])

    def _get(self, path: str, version: int) -> Json:
        return self._json(self._send("GET", path, version))

    def _post(self, path: str, version: int, body: Json) -> Json:
        return self._json(self._send("POST", path, version, body=body))

    def _json(self, answer: httpx.Response) -> Json:
        try:
            content = answer.json()
        except ValueError as error:
            raise Refused(f"expected JSON of GoCD at {answer.url}, found something else: is it GoCD?") from error
        return dict(content)

    def _send(
        self,
        method: str,
        path: str,
        version: int,
        body: Json | None = None,
        expected: tuple[int, ...] = (200, 201, 202),
    ) -> httpx.Response:
        headers: Mapping[str, str] = {"Accept": f"application/vnd.go.cd.v{version}+json", "X-GoCD-Confirm": "true"}
        try:
            answer = self._http.request(method, path, headers=headers, json=body)
        except httpx.HTTPError as error:
            raise Refused(f"expected GoCD at {self._url}, cannot reach it ({error}): is it up?") from error
        if answer.status_code not in expected:
            raise Refused(f"expected GoCD to accept {method} {path}, found {answer.status_code}: {_message(answer)}")
        return answer


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200].replace("\n", " ") or answer.reason_phrase

"""MLflow's REST API over HTTP, because importing MLflow's own client takes longer than most verbs.

Paths and fields: MLflow 3 REST API reference; artifacts: `mlflow server` with `--serve-artifacts`, its default.
"""

import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from services.contract.errors import Refused
from services.contract.transport import trust

Json = dict[str, Any]
Answer = TypeVar("Answer")
SERVED = "mlflow-artifacts"  # the scheme of artifacts that the server hands out itself
_SECONDS = 120.0
_PAUSE_SECONDS = 0.3
# What a server that is starting, or a proxy before it, says; asked again, it may answer.
_PASSING = (408, 429, 502, 503, 504)


class MlflowError(Exception):
    """MLflow says no; `code` is its own word for it, such as RESOURCE_ALREADY_EXISTS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class _Ours(httpx.Auth):
    """Credentials for the tracking server only: the address of artifacts may name any host."""

    def __init__(self, ours: httpx.URL, authorization: str) -> None:
        self._place, self._authorization = (ours.scheme, ours.netloc), authorization

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if (request.url.scheme, request.url.netloc) == self._place:
            request.headers["Authorization"] = self._authorization
        yield request


class _Passing(Exception):
    """No answer yet, and why."""


class MlflowHttp:
    """Raises MlflowError when MLflow says no, Refused when it does not answer for `patience` seconds."""

    def __init__(
        self,
        url: str,
        authorization: str | None = None,
        patience: float = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise Refused(f"expected MLFLOW_TRACKING_URI to be the http address of an MLflow server, found '{url}'")
        address = httpx.URL(url.rstrip("/"))
        login = httpx.BasicAuth(address.username, address.password) if address.userinfo else None
        self.url, self._patience = str(address.copy_with(userinfo=b"")), patience
        auth = _Ours(address, authorization) if authorization else login
        self._http = httpx.Client(auth=auth, timeout=_SECONDS, transport=transport, verify=trust(url))

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Json:
        return self._json("GET", f"{self.url}/api/2.0/mlflow/{path}", params=query)

    def post(self, path: str, **body: Any) -> Json:
        return self._json("POST", f"{self.url}/api/2.0/mlflow/{path}", json=body)

    def download_folder(self, uri: str, target: Path) -> None:
        """Every file below `uri`, whose scheme is SERVED."""
        server, root = self._served(uri)
        for path in self._list(server, root):
            self._save(f"{server}/{quote(f'{root}/{path}')}", target / path)

    def download_file(self, uri: str, target: Path) -> None:
        """Raises Refused when `target` cannot be written."""
        server, path = self._served(uri)
        self._save(f"{server}/{quote(path)}", target)

    def _save(self, url: str, target: Path) -> None:
        def save() -> None:
            with self._http.stream("GET", url) as answer:
                if _sound(answer):
                    _write(answer, target)

        self._patiently(save)

    def _served(self, uri: str) -> tuple[str, str]:
        """Where artifacts are asked for, and the path there; a URI without a host means this server."""
        place = uri.partition(":")[2]
        host, _, path = place[2:].partition("/") if place.startswith("//") else ("", "", place)
        server = f"{urlsplit(self.url).scheme}://{host}" if host else self.url
        return f"{server}/api/2.0/mlflow-artifacts/artifacts", path.strip("/")

    def _list(self, server: str, root: str, below: str = "") -> Iterator[str]:
        for entry in self._json("GET", server, params={"path": f"{root}/{below}".rstrip("/")}).get("files", []):
            path = str(PurePosixPath(below, _name(entry["path"])))
            if entry["is_dir"]:
                yield from self._list(server, root, path)
            else:
                yield path

    def _json(self, method: str, url: str, **content: Any) -> Json:
        def ask() -> Json:
            answer = self._http.request(method, url, **content)
            _sound(answer)
            return _object(answer)

        return self._patiently(ask)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return ask()
            except (_Passing, httpx.TransportError) as error:
                if time.monotonic() >= deadline:
                    raise Refused(f"expected MLflow at {self.url}, cannot reach it ({error}): is it up?") from error
                time.sleep(_PAUSE_SECONDS)


def _sound(answer: httpx.Response) -> bool:
    """Raises MlflowError unless MLflow did what it was asked."""
    if answer.status_code == 200:
        return True
    if answer.status_code in _PASSING:
        raise _Passing(f"it answers {answer.status_code}")
    answer.read()
    try:
        said = answer.json()
        raise MlflowError(said["error_code"], said["message"])
    except (ValueError, KeyError, TypeError):
        raise MlflowError(str(answer.status_code), answer.text[:200] or answer.reason_phrase) from None


def _object(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MlflowError("no answer of MLflow's", f"{answer.text[:100]!r}")
    return found


def _name(path: str) -> str:
    """Raises MlflowError for a path that would lead out of the folder."""
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise MlflowError("no artifact's path", repr(path))
    return path


def _write(answer: httpx.Response, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
    except OSError as error:
        raise Refused(f"{target.parent}: expected to write {target.name}, cannot: {error.strerror}") from error

"""MLflow's REST API over HTTP, because importing MLflow's own client takes longer than most verbs.

Paths and fields: MLflow 3 REST API reference; artifacts: `mlflow server` with `--serve-artifacts`, its default.
"""

from base64 import b64encode
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from services.contract.errors import Refused, reason
from services.contract.transport import trust
from services.contract.waiting import Answer, retry

Json = dict[str, Any]
SERVED = "mlflow-artifacts"  # the scheme of artifacts that the server hands out itself
SECONDS = 120.0
_LONGEST = 200
# What a server that is starting, or a proxy before it, says; asked again, it may answer.
_PASSING = (408, 429, 502, 503, 504)


class MlflowError(Exception):
    """MLflow says no; `code` is its own word for it, such as RESOURCE_ALREADY_EXISTS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@contextmanager
def allowing(*codes: str) -> Iterator[None]:
    """What MLflow refuses with one of these codes is let be."""
    try:
        yield
    except MlflowError as error:
        if error.code not in codes:
            raise


class _Ours(httpx.Auth):
    """Credentials for the tracking server only: the address of artifacts may name any host."""

    def __init__(self, ours: httpx.URL, authorization: str | None) -> None:
        if authorization and not (authorization.isascii() and authorization.isprintable()):
            raise Refused("expected a token of MLflow in printable ASCII, found another: see MLFLOW_TRACKING_TOKEN")
        self._place, self._authorization = (ours.scheme, ours.netloc), authorization

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._authorization and (request.url.scheme, request.url.netloc) == self._place:
            request.headers["Authorization"] = self._authorization
        yield request


class _Passing(Exception):
    """No answer yet, and why."""


class MlflowHttp:
    """Raises MlflowError when MLflow says no, Refused when it does not answer for `patience` seconds.

    A login in the address goes before `authorization`, as it does for MLflow's own client. A redirect is a no.
    """

    def __init__(
        self,
        url: str,
        authorization: str | None = None,
        *,
        patience: float = 0,
        seconds: float = SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        address = _address(url)
        self.url, self._patience = str(address.copy_with(userinfo=b"")).rstrip("/"), patience
        auth = _Ours(address, _login(address) or authorization)
        self._http = httpx.Client(auth=auth, timeout=seconds, transport=transport, verify=trust(self.url))

    def close(self) -> None:
        self._http.close()

    @contextmanager
    def expecting(self, what: str) -> Iterator[None]:
        """Raises Refused, naming `what` and the server, for its no and for an answer of another shape than MLflow's."""
        try:
            yield
        except (MlflowError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise Refused(f"expected {what} in MLflow at {self.url}, found: {_words(error)}") from error

    def get(self, path: str, **query: str) -> Json:
        return self._json("GET", f"{self.url}/api/2.0/mlflow/{path}", params=query)

    def post(self, path: str, **body: Any) -> Json:
        return self._json("POST", f"{self.url}/api/2.0/mlflow/{path}", json=body)

    def patch(self, path: str, **body: Any) -> Json:
        return self._json("PATCH", f"{self.url}/api/2.0/mlflow/{path}", json=body)

    def delete(self, path: str, **body: Any) -> Json:
        return self._json("DELETE", f"{self.url}/api/2.0/mlflow/{path}", json=body)

    def pages(self, path: str, **body: Any) -> Iterator[Json]:
        """The answers to a search, asked for as they are wanted."""
        following: dict[str, str] = {}
        while True:
            page = self.post(path, **body, **following)
            yield page
            if not page.get("next_page_token"):
                return
            following = {"page_token": page["next_page_token"]}

    def upload(self, uri: str, content: bytes) -> None:
        """Writes the file `uri`, whose scheme is SERVED."""
        server, path = self._served(uri)
        self._patiently(lambda: _sound(self._http.put(f"{server}/{quote(path)}", content=content)))

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
        server = f"{self.url.partition(':')[0]}://{host}" if host else self.url
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
        try:
            return retry(ask, self._patience, (_Passing, httpx.HTTPError))
        except httpx.InvalidURL as error:
            raise MlflowError("no address", str(error)) from error
        except (_Passing, httpx.HTTPError) as error:
            raise Refused(f"expected MLflow at {self.url}, cannot reach it ({reason(error)}): is it up?") from error


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        shown = url.rpartition("@")[2]
        raise Refused(f"expected MLFLOW_TRACKING_URI to be the http address of an MLflow server, found '{shown}'")
    return address


def _login(address: httpx.URL) -> str | None:
    login = f"{address.username}:{address.password}"
    return f"Basic {b64encode(login.encode()).decode()}" if address.userinfo else None


def _sound(answer: httpx.Response) -> bool:
    """Raises MlflowError unless MLflow did what it was asked."""
    if answer.status_code == 200:
        return True
    if answer.status_code in _PASSING:
        raise _Passing(f"it answers {answer.status_code}")
    answer.read()
    try:
        said = answer.json()
        code, message = said["error_code"], said.get("message", "")
    except (ValueError, LookupError, TypeError):
        code, message = answer.status_code, _plain(answer)
    raise MlflowError(str(code), " ".join(str(message).split())[:_LONGEST])


def _plain(answer: httpx.Response) -> str:
    if answer.has_redirect_location:
        return f"{answer.reason_phrase}: it sends to {answer.headers['Location']}"
    return answer.text or answer.reason_phrase


def _object(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MlflowError("no answer of MLflow's", f"{answer.text[:100]!r}")
    return found


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"an answer without {error}, which is not MLflow's"
    if isinstance(error, (TypeError, AttributeError)):
        return "an answer of another shape than MLflow's"
    return reason(error)


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

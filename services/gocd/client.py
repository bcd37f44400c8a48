"""The part of GoCD's REST API that Trackback uses; the same against a real GoCD and the embedded CI server.

Paths, Accept versions and fields: GoCD 26.1 API reference.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from services.contract.errors import Refused, Unavailable
from services.contract.transport import trust

Json = dict[str, Any]


class Login(NamedTuple):
    """`file` is where the password was read from."""

    user: str
    password: str
    file: Path | None = None


class Unknown(Refused):
    """GoCD has nothing of that name."""


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"bearer {self._token}"
        yield request


class GoCD:
    """As the owner of a token, as a user with a password, or as nobody; with a token the password is not sent.

    Every method raises Refused when GoCD cannot be reached or says no.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        login: Login | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._auth = _Bearer(token) if token else httpx.BasicAuth(login.user, login.password) if login else None
        self._advice = {**_ADVICE, 401: _correct(login)} if login and not token else _ADVICE
        self._http = httpx.Client(base_url=self.url, timeout=30, transport=transport, verify=trust(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def is_up(self) -> bool:
        """False while it cannot be reached or is starting. Raises Refused when something else answers there.

        Asked without credentials, because with wrong ones GoCD refuses even what is open to everybody.
        """
        try:
            answer = self._http.get("/api/v1/health", headers={"Accept": "application/vnd.go.cd.v1+json"})
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            return False
        if answer.status_code != 200 or _field(answer, "health") != "OK":
            raise Refused(
                f"expected GoCD at {self.url}, found {answer.status_code} {answer.reason_phrase} at its health check:"
                " give its address with the path, such as http://gocd.example:8153/go"
            )
        return True

    def plugin(self, identity: str) -> Json | None:
        """What GoCD says of a plugin; None when it has none of that name."""
        answer = self._send("GET", f"/api/admin/plugin_info/{identity}", 7, expected=(200, 404))
        return self._json(answer) if answer.status_code == 200 else None

    def repositories(self) -> list[Json]:
        return list(self._get("/api/admin/repositories", 1)["_embedded"]["package_repositories"])

    def packages(self) -> list[Json]:
        return list(self._get("/api/admin/packages", 2)["_embedded"]["packages"])

    def config_repos(self) -> list[Json]:
        return list(self._get("/api/admin/config_repos", 4)["_embedded"]["config_repos"])

    def create(self, path: str, version: int, body: Json) -> Json:
        return self._json(self._send("POST", path, version, body=body))

    def replace(self, path: str, version: int, body: Json) -> Json:
        return self.change(path, version, lambda _: body)

    def change(self, path: str, version: int, changed: Callable[[Json], Json]) -> Json:
        """Into what `changed` makes of it, only if nobody changed it since it was read here just now."""
        found = self._send("GET", path, version)
        match = {"If-Match": found.headers.get("ETag", "")}
        return self._json(self._send("PUT", path, version, body=changed(self._json(found)), headers=match))

    def look_at_config_repo(self, identity: str) -> bool:
        """Lets GoCD read a config repo now; False when it is reading it already."""
        path = f"/api/admin/config_repos/{identity}/trigger_update"
        return self._send("POST", path, 4, expected=(201, 409)).status_code == 201

    def user(self) -> str | None:
        """Whom GoCD takes us for; None when it does not know us."""
        answer = self._send("GET", "/api/current_user", 1, expected=(200, 401))
        return str(self._json(answer)["login_name"]) if answer.status_code == 200 else None

    def create_token(self, description: str) -> str:
        """An access token of the user whose password we have; GoCD shows it this once."""
        return str(self.create("/api/current_user/access_tokens", 1, {"description": description})["token"])

    def package_material(self, package: str) -> Json | None:
        """The material of a package that some pipeline uses, None when GoCD does not poll it (yet)."""
        materials = self._get("/api/internal/materials", 1)["materials"]
        return next((one for one in materials if one["config"]["attributes"].get("ref") == package), None)

    def trigger_update(self, fingerprint: str) -> bool:
        """Lets GoCD poll a material now; False when a poll is under way already."""
        path = f"/api/internal/materials/{fingerprint}/trigger_update"
        answer = self._send("POST", path, 1, expected=(201, 409))
        return answer.status_code == 201

    def history(self, pipeline: str, page_size: int = 10) -> list[Json]:
        """The newest instances of a pipeline, newest first. Raises Unknown for a pipeline that GoCD has not."""
        return list(self._history(pipeline, f"page_size={page_size}")["pipelines"])

    def instances(self, pipeline: str) -> Iterator[Json]:
        """All instances of a pipeline, newest first, asked for as they are wanted."""
        query = "page_size=10"
        while query:
            page = self._history(pipeline, query)
            yield from page["pipelines"]
            # The link has GoCD's own name for itself, and not the size of the page.
            following = httpx.URL(page.get("_links", {}).get("next", {}).get("href", ""))
            query = f"page_size=10&after={following.params['after']}" if "after" in following.params else ""

    def modifications(self, fingerprint: str) -> list[Json]:
        """The newest revisions of a material, newest first, whether or not a pipeline ran with them."""
        return list(self._get(f"/api/materials/{fingerprint}/modifications", 2)["_embedded"]["modifications"])

    def schedule(self, pipeline: str, fingerprint: str, revision: str) -> None:
        """Runs a pipeline with this revision of a material. Raises Refused while it is running, paused or locked."""
        pinned = {"fingerprint": fingerprint, "revision": revision}
        body = {"materials": [pinned], "update_materials_before_scheduling": False}
        self._send("POST", f"/api/pipelines/{pipeline}/schedule", 1, body=body)

    def run_stage(self, stage: str) -> None:
        """Runs a stage again; `stage` is `pipeline/counter/stage`. Raises Refused while that instance is running."""
        self._send("POST", f"/api/stages/{stage}/run", 2)

    def artifact(self, job: str, path: str) -> bytes | None:
        """A file that a job left; None when it left none. `job` is `pipeline/counter/stage/counter/job`."""
        answer = self._send("GET", f"/files/{job}/{path}", 1, expected=(200, 404))
        return answer.content if answer.status_code == 200 else None

    def _history(self, pipeline: str, query: str) -> Json:
        try:
            return self._get(f"/api/pipelines/{pipeline}/history?{query}", 1)
        except Unknown as unknown:
            raise Unknown(f"expected the pipeline '{pipeline}' in GoCD at {self.url}, found none: add it") from unknown

    def _get(self, path: str, version: int) -> Json:
        return self._json(self._send("GET", path, version))

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
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {"Accept": f"application/vnd.go.cd.v{version}+json", "X-GoCD-Confirm": "true", **(headers or {})}
        try:
            answer = self._http.request(method, path, headers=sent, json=body, auth=self._auth)
        except httpx.HTTPError as error:
            raise Unavailable(f"expected GoCD at {self.url}, cannot reach it ({error}): is it up?") from error
        if answer.status_code not in expected:
            what = f"expected GoCD to accept {method} {path}, found {answer.status_code}: {_message(answer)}"
            raise _kind(answer)(what + self._advice.get(answer.status_code, ""))
        return answer


# What a person can do about it; other refusals explain themselves.
_ADVICE = {
    401: " Give a token (TRACKBACK_GOCD_TOKEN or TRACKBACK_GOCD_TOKEN_FILE), or a user and a password.",
    403: " Ask as a user who may do this; setting GoCD up needs an administrator.",
}


def _correct(login: Login) -> str:
    return f" Correct the password of '{login.user}'{f' in {login.file}' if login.file else ''}."


def _kind(answer: httpx.Response) -> type[Refused]:
    if answer.status_code == 404 and _field(answer, "message"):
        return Unknown
    return Unavailable if answer.status_code in (401, 503) else Refused


def _field(answer: httpx.Response, name: str) -> object:
    return _content(answer).get(name)


def _content(answer: httpx.Response) -> Json:
    """Empty for what is no JSON object."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _message(answer: httpx.Response) -> str:
    """GoCD's words on one line; after a refused creation also which fields are wrong."""
    content = _content(answer)
    told = content.get("message") or content.get("error")
    problems = sorted(set(_problems(content)) - {str(told)})
    if not told and not problems:
        told = answer.text[:200].strip() or answer.reason_phrase
    return " ".join(" ".join([str(told or ""), *problems]).split())


def _problems(data: object) -> list[str]:
    """The texts below every `errors` of what GoCD sends back."""
    if isinstance(data, list):
        return [text for part in data for text in _problems(part)]
    if not isinstance(data, dict):
        return []
    here = data.get("errors")
    texts = [str(text) for found in here.values() for text in found] if isinstance(here, dict) else []
    return texts + [text for key, part in data.items() if key != "errors" for text in _problems(part)]

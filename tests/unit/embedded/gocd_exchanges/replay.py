"""Sends every recorded exchange to the stand-in, in order, with its placeholders filled in."""

from typing import Any

import httpx

from tests.support.embedded_ci import URL as SERVER
from tests.unit.embedded.gocd_exchanges.mlflow import RUN_A, RUN_B
from tests.unit.embedded.gocd_exchanges.mlflow import URL as MLFLOW
from tests.unit.embedded.gocd_exchanges.recorded import Exchange
from tests.unit.embedded.gocd_exchanges.scenario import Scenario
from tests.unit.embedded.gocd_exchanges.stand_in import PASSWORDS, StandIn

WRONG = {"wrong-token": "0" * 40, "malformed-token": "0123"}
# A host that is not there; here a folder that is not there, so that no name is looked up.
NOWHERE = "http://nosuch.example"


class Replay:
    """`known` are the values of placeholders."""

    def __init__(self, stand_in: StandIn) -> None:
        self._in = stand_in
        self._http = stand_in.ci.http
        self._nowhere = f"{stand_in.models.url}/nowhere"
        self._tags: dict[str, str] = {}
        self._new_token("admin", "trackback: promote, look and run stages")
        self._tokens = {"token": self._new_token("operator", "trackback: promote, look and run stages")}
        self._new_token("operator", "compare")
        self._scenario = Scenario(stand_in)
        self.known = _placeholders(stand_in)

    def send(self, exchange: Exchange) -> httpx.Response:
        self._scenario.step(exchange.name)
        answer = self._as_recorded(self._ask(exchange))
        if exchange.name in ("create token", "create token of the admin") and answer.status_code == 200:
            self._remember_token(exchange.name, answer.json())
        return answer

    @property
    def left(self) -> list[str]:
        """Steps of the scenario that belong to no exchange."""
        return self._scenario.left

    def _as_recorded(self, answer: httpx.Response) -> httpx.Response:
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        headers |= {"content-type": answer.headers["content-type"]} if "content-type" in answer.headers else {}
        content = answer.text.replace(self._nowhere, NOWHERE).encode()
        return httpx.Response(answer.status_code, headers=headers, content=content)

    def _ask(self, exchange: Exchange) -> httpx.Response:
        path = self._filled(exchange.path, exchange)
        headers = {name: self._filled(value, exchange) for name, value in exchange.headers.items()}
        headers |= {"Accept-Encoding": "gzip"} if exchange.gzip else {"Accept-Encoding": "identity"}
        headers |= {"Accept": exchange.accept} if exchange.accept is not None else {}
        content = None if exchange.content is None else self._filled(exchange.content, exchange)
        url = path.removeprefix("!") if path.startswith("!") else f"/go{path}"
        request = self._http.build_request(exchange.method, url, headers=headers, content=content)
        if exchange.accept is None:
            del request.headers["Accept"]
        return self._http.send(request, auth=self._auth(exchange.who))

    def _auth(self, who: str) -> httpx.Auth | None:
        if who in PASSWORDS:
            return httpx.BasicAuth(who, PASSWORDS[who])
        passwords = {"wrong-password": ("admin", "wrong"), "unknown-user": ("nosuch", "wrong")}
        if who in passwords:
            return httpx.BasicAuth(*passwords[who])
        token = WRONG.get(who) or self._tokens.get(who)
        return _Bearer(token) if token else None

    def _filled(self, text: str, exchange: Exchange) -> str:
        for name in ("etag", "tag_gzip", "tag_plain", "tag_bare", "tag_weak"):
            if f"{{{name}}}" in text:
                text = text.replace(f"{{{name}}}", self._tag(exchange, name))
        for package in self._in.engine.catalog.packages():
            self.known[f"fingerprint of {package.id}"] = package.fingerprint
        for name, value in self.known.items():
            text = text.replace(f"{{{name}}}", value)
        return text.replace(NOWHERE, self._nowhere)

    def _tag(self, exchange: Exchange, form: str) -> str:
        headers = {"Accept": str(exchange.accept), "Accept-Encoding": "gzip" if exchange.gzip else "identity"}
        path = self._filled(exchange.path, exchange)
        if exchange.name == "replace package: the ETag from before the change":
            return self._tags[path]
        tag = self._http.get(f"/go{path}", headers=headers, auth=self._auth("admin")).headers.get("etag", '"none"')
        self._tags[path] = tag
        plain = tag.replace("--gzip", "")
        forms = {"tag_plain": plain, "tag_bare": plain.strip('"'), "tag_weak": f"W/{plain}"}
        return str(forms.get(form, tag))

    def _new_token(self, user: str, description: str) -> str:
        headers = {"Accept": "application/vnd.go.cd.v1+json"}
        url, login = "/go/api/current_user/access_tokens", (user, PASSWORDS[user])
        answer = self._http.post(url, headers=headers, json={"description": description}, auth=login)
        return str(answer.json()["token"])

    def _remember_token(self, name: str, body: dict[str, Any]) -> None:
        who, identity = ("new-token", "token_id") if name == "create token" else ("new-admin-token", "token_id2")
        self._tokens[who] = body["token"]
        self.known[identity] = str(body["id"])


def _placeholders(stand_in: StandIn) -> dict[str, str]:
    return {
        "server": SERVER,
        "site": SERVER.removesuffix("/go"),
        "mlflow": MLFLOW,
        "run-a": RUN_A,
        "run-b": RUN_B,
        "run-a:8": RUN_A[:8],
        "run-b:8": RUN_B[:8],
        "git": stand_in.models.url,
        "scratch git": stand_in.scratch.url,
        "git author": "Recorder",
        "git e-mail": "recorder@example.com",
        "counter": "1",
        "locked_counter": "3",
        "k": "7",
    }


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = f"bearer {self._token}"
        yield request

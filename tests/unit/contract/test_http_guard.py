"""Every route of every HTTP service of ours: under which name, from which page and by whom it may be asked."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp

from services.contract.http_guard import LOOPBACK, SAFE_METHODS, Access, Guard, names_of
from services.embedded.api import app as embedded
from services.prediction import app as prediction
from services.prediction.predictor import load_predictor
from services.prediction.service import Service
from services.rollout import app as rollout_app
from services.rollout.rollout import Rollout
from tests.support.embedded_ci import create_engine, pipeline, stage
from tests.support.embedded_fakes import FakePlugin
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.release_factory import build_release
from tests.support.rollout_fakes import FakeMachine

TOKEN = "correct horse battery staple"
KEY = {"Authorization": f"Bearer {TOKEN}"}
OWN = "http://127.0.0.1:8154"


@dataclass(frozen=True)
class GuardedService:
    """A service as its clients meet it, and its routes as its framework knows them."""

    app: ASGIApp
    routes: tuple[tuple[str, str], ...]
    read_only_paths: tuple[str, ...] = ()

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.routes if method not in SAFE_METHODS]


def routes_of(app: FastAPI) -> tuple[tuple[str, str], ...]:
    """Those of its routers as well, each with something in the place of its parameters."""
    found = [
        (method, route.path) for route in iter_route_contexts(app.routes) for method in sorted(route.methods or ())
    ]
    return tuple((method, re.sub(r"{[^}]+}", "diamond-price", str(path))) for method, path in found)


def ci(folder: Path) -> GuardedService:
    engine = create_engine(folder, {"churn": pipeline(stage("fetch"))}, FakePlugin())
    app = embedded.create_app(engine, LOOPBACK, TOKEN)
    return GuardedService(app, routes_of(app))


def rollout(folder: Path) -> GuardedService:
    machine = FakeMachine(folder, folder / "store", free_port())
    app = rollout_app.create_app(Rollout(machine.dependencies()), Access(token=TOKEN))
    return GuardedService(app, routes_of(app))


def predictions(folder: Path) -> GuardedService:
    release = build_release(folder)
    predictor = load_predictor(folder / "releases" / release.digest, release.digest)
    return GuardedService(
        Service(predictor).public_app,
        routes_of(prediction.create_api(predictor)),
        prediction.read_only_paths(predictor),
    )


SERVICES = {
    "services/embedded/api/app.py": ci,
    "services/rollout/app.py": rollout,
    "services/prediction/app.py": predictions,
}


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GuardedService:
    make: Callable[[Path], GuardedService] = SERVICES[request.param]
    return make(tmp_path_factory.mktemp("service"))


def ask(app: ASGIApp, method: str, path: str, headers: object = None) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
            return await client.request(method, path, headers=headers)  # type: ignore[arg-type]

    return asyncio.run(answer())


def test_there_is_no_other_http_service() -> None:
    made = {str(file.relative_to(ROOT)) for file in sources() if "FastAPI(" in file.read_text()}
    assert made == set(SERVICES)
    # Its server is started by `mlflow server`: tests/integration/test_mlflow_access.py knocks at that one.
    assert [file.name for file in sources() if '"mlflow", "server"' in file.read_text()] == [
        "container.py",
        "server.py",
    ]
    others = re.compile(r"http\.server|socketserver|flask|aiohttp|start_server\(")
    assert [str(file) for file in sources() if others.search(file.read_text())] == []


def test_every_server_has_the_limits_on_headers() -> None:
    configured = [part for file in sources() for part in file.read_text().split("uvicorn.Config(")[1:]]
    assert len(configured) == len(SERVICES)
    assert all(re.search(r"http=limited\(.*ws=\"none\"", part, re.DOTALL) for part in configured)


def sources() -> list[Path]:
    return sorted((ROOT / "services").rglob("*.py"))


def test_no_route_answers_under_the_name_of_another_site(service: GuardedService) -> None:
    assert len(service.routes) > 4
    for method, path in service.routes:
        for name in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8154", ""):
            answer = ask(service.app, method, path, {**KEY, "Host": name})
            said = "expected one Host of localhost" in answer.text or method == "HEAD"
            assert (answer.status_code, said) == (400, True), (path, name)


def test_nothing_is_changed_for_the_page_of_another_site_even_with_the_token(service: GuardedService) -> None:
    for method, path in service.changes:
        for origin in ("http://evil.example", "null", "http://127.0.0.1:5000", "http://localhost:8154", "http://[::1"):
            assert ask(service.app, method, path, {**KEY, "Origin": origin}).status_code == 403, (path, origin)


def test_nothing_is_changed_without_the_token(service: GuardedService) -> None:
    for method, path in service.changes:
        if path in service.read_only_paths:
            continue
        for shown in (None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN):
            answer = ask(service.app, method, path, {} if shown is None else {"Authorization": shown})
            assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, "Bearer"), (path, shown)
            assert TOKEN not in answer.text


def test_whoever_has_the_token_is_listened_to(service: GuardedService) -> None:
    for method, path in service.changes:
        for headers in (KEY, {**KEY, "Origin": OWN}, {"Authorization": f"bearer {TOKEN}"}):
            assert ask(service.app, method, path, headers).status_code not in (401, 403), path


def test_only_what_changes_nothing_is_asked_by_post_without_a_token(service: GuardedService) -> None:
    assert all(path.endswith(("/invocations", "/infer", ":predict")) for path in service.read_only_paths)
    assert all(ask(service.app, "POST", path).status_code not in (401, 403) for path in service.read_only_paths)


def test_questions_are_free(service: GuardedService) -> None:
    asked = [path for method, path in service.routes if method == "GET"]
    assert asked
    assert all(ask(service.app, "GET", path).status_code not in (400, 401, 403) for path in asked)


async def echo(scope: dict[str, object], receive: object, send: Callable[..., object]) -> None:  # noqa: ARG001
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
    await send({"type": "http.response.body", "body": repr(scope["headers"]).encode()})  # type: ignore[misc]


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["LOCALHOST:80"], 200),
        (["[::1]:8154"], 200),
        (["[::1]"], 200),
        (["127.0.0.1", "127.0.0.1"], 400),
        (["127.0.0.1", "evil.example"], 400),
        (["evil.example", "127.0.0.1"], 400),
        (["127.0.0.1:evil"], 400),
        (["127.0.0.1@evil.example"], 400),
    ],
)
def test_a_name_counts_without_its_port_and_only_if_it_is_the_only_one(hosts: list[str], status: int) -> None:
    async def answer() -> int:
        found: list[int] = []

        async def send(message: dict[str, object]) -> None:
            found.append(int(str(message.get("status", 0))))

        headers = [(b"host", host.encode()) for host in hosts]
        await Guard(echo, Access())({"type": "http", "method": "GET", "path": "/", "headers": headers}, None, send)  # type: ignore[arg-type]
        return found[0]

    assert asyncio.run(answer()) == status


def test_the_token_goes_no_further_and_other_credentials_do() -> None:
    guarded = Guard(echo, Access(token=TOKEN))  # type: ignore[arg-type]
    assert "authorization" not in ask(guarded, "POST", "/", KEY).text
    assert "authorization" in ask(guarded, "GET", "/", {"Authorization": "Basic YTpi"}).text


def test_behind_a_gateway_any_name_and_page_may_ask() -> None:
    guarded = Guard(echo, Access(hosts=("*",)))  # type: ignore[arg-type]
    headers = {"Host": "models.team.example", "Origin": "https://shop.team.example"}
    assert ask(guarded, "POST", "/invocations", headers).status_code == 200


def test_a_service_answers_under_its_address_and_what_else_it_is_told() -> None:
    assert names_of("0.0.0.0", ["rollout"]) == (*LOOPBACK, "rollout")
    assert names_of("10.0.0.7") == (*LOOPBACK, "10.0.0.7")
    assert names_of("fd00::7") == (*LOOPBACK, "[fd00::7]")

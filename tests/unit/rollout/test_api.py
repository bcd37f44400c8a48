"""The rollout service's API against its own description, by schemathesis, and every refusal in one shape."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from services.contract.deployment import DeployRequest, RetireRequest, RollbackRequest
from services.contract.engine_images import EngineImage
from services.contract.errors import Refused
from services.contract.http_guard import SAFE_METHODS, Access
from services.rollout.app import create_app
from services.rollout.rollout import Rollout
from tests.support.ports import free_port
from tests.support.rollout_fakes import MODEL, FakeMachine, three_releases

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Of a service that has deployed twice."""
    root = tmp_path_factory.mktemp("rollout")
    digests = three_releases(root / "store")
    rollout = Rollout(FakeMachine(root / "state", root / "store", free_port()).dependencies())
    for digest in digests[:2]:
        rollout.deploy(MODEL, DeployRequest(release=digest, by="ada"))
    yield create_app(rollout)
    rollout.close()


@pytest.fixture(scope="module")
def api(app: FastAPI) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})


@pytest.mark.thorough
def test_every_answer_is_as_the_description_says(api: schemathesis.BaseSchema) -> None:
    found = [operation.ok() for operation in api.get_all_operations() if isinstance(operation, Ok)]
    assert len(found) == sum(len(methods) for methods in api.raw_schema["paths"].values())
    for operation in found:
        _conforms(operation)


def _conforms(operation: Any) -> None:
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(headers={"Host": "localhost"})

    check()


def asked(app: FastAPI, method: str, path: str, **options: object) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(method, path, **options)  # type: ignore[arg-type]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", f"/models/{MODEL}", 405),
        ("GET", f"/models/{MODEL}/rollback?to=9-aaaaaaaa", 409),
        ("POST", f"/models/{MODEL}/retire", 422),
        ("GET", "/models/No%20Name/ledger", 422),
        ("POST", "/models/unknown-model/rollback", 422),
    ],
)
def test_every_refusal_has_one_shape(method: str, path: str, status: int, app: FastAPI) -> None:
    answer = asked(app, method, path)
    assert (answer.status_code, list(answer.json())) == (status, ["message"])
    assert "\n" not in answer.json()["message"]


def test_what_no_file_could_keep_of_a_text_stops_no_rollback(app: FastAPI) -> None:
    body = '{"by": "ada", "reason": "a \\ud800 b"}'
    answer = asked(app, "POST", f"/models/{MODEL}/rollback", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (200, "a ? b"), answer.text
    assert asked(app, "GET", f"/models/{MODEL}/audit").json()["fault"] is None


def test_whatever_changes_something_wants_the_token_and_refuses_another_host_and_page(tmp_path: Path) -> None:
    """Asked of the description, so that a new endpoint cannot be forgotten."""
    machine = FakeMachine(tmp_path, tmp_path / "store", free_port())
    guarded = create_app(Rollout(machine.dependencies()), Access(token=TOKEN))
    changing = [
        (method.upper(), path.replace("{model}", MODEL))
        for path, methods in guarded.openapi()["paths"].items()
        for method in methods
        if method.upper() not in SAFE_METHODS
    ]
    assert {path.rpartition("/")[2] for _, path in changing} == {
        "deploy",
        "rollback",
        "retire",
        "step",
        "ledger",
        "predictions",
        "prune",
    }
    known = {"Authorization": f"Bearer {TOKEN}"}
    for method, path in changing:
        found = [
            asked(guarded, method, path, headers=headers).status_code
            for headers in ({}, {**known, "Host": "evil.example"}, {**known, "Origin": "http://evil.example"}, known)
        ]
        assert found == [401, 400, 403, 422], path
    machine.close()


def test_images_of_what_answers_or_did_before_or_is_recorded_stay_on_the_engine(tmp_path: Path) -> None:
    store = tmp_path / "store"
    digests = [*three_releases(store), "d" * 64, "e" * 64]
    machine = FakeMachine(tmp_path / "state", store, free_port())
    rollout = Rollout(machine.dependencies())
    machine.backend.images = [
        EngineImage(model=MODEL, revision=f"{number}-aaaaaaaa", release=digest, names=("here",), bytes=1)
        for number, digest in enumerate(digests, 1)
    ]

    def pruned(*gone: str, dry_run: bool = False) -> list[str]:
        """The revisions whose images went."""
        answer = asked(create_app(rollout), "POST", "/images/prune", json={"gone": gone, "dry_run": dry_run})
        return [image["revision"] for image in answer.json()["removed"]]

    for digest in digests[:2]:
        rollout.deploy(MODEL, DeployRequest(release=digest, by="ada"))
    assert pruned() == []  # a store without any record is none
    (store / "images").mkdir()
    for digest in digests[2:4]:
        (store / "images" / f"{digest}.json").write_text("{}")
    assert pruned(digests[3], dry_run=True) == ["4-aaaaaaaa", "5-aaaaaaaa"]
    assert pruned() == ["5-aaaaaaaa"]
    (store / "images" / f"{digests[3]}.json").unlink()
    assert pruned() == ["4-aaaaaaaa"]
    assert [image.release for image in machine.backend.images] == digests[:3]
    rollout.close()


def test_names_that_nobody_delivered_to_leave_nothing_behind(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, tmp_path / "store", free_port())
    rollout = Rollout(machine.dependencies())
    before = threading.active_count()
    for change in (
        lambda name: rollout.plan(name, None),
        lambda name: rollout.rollback(name, RollbackRequest(by="ada", reason="")),
        lambda name: rollout.retire(name, RetireRequest(by="ada", reason="")),
    ):
        with pytest.raises(Refused, match="expected a model that has answered, found 'made-up'"):
            change("made-up")
    assert (rollout.ledger("made-up"), rollout.audit("made-up").lines) == ([], 0)
    assert (threading.active_count(), [path.name for path in tmp_path.iterdir()]) == (before, [])
    rollout.close()

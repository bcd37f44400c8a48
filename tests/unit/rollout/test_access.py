"""Who may change what answers, and which settings each backend wants."""

import asyncio

import httpx
import pytest

from services.contract.errors import Refused
from services.contract.http_guard import Access
from services.rollout.app import create_app
from services.rollout.rollout import Rollout
from services.rollout.settings import FOR_CONTAINERS, PREFIX, BackendName, read_settings
from tests.support.rollout_fakes import FakeMachine

TOKEN = "correct horse battery staple"


def ask(machine: FakeMachine, method: str, path: str, authorization: bytes | None) -> httpx.Response:
    rollout = Rollout(machine.dependencies())
    transport = httpx.ASGITransport(app=create_app(rollout, Access(token=TOKEN)))
    headers = {b"Authorization": authorization} if authorization is not None else {}

    async def answer() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=headers, content=b"no JSON")

    found = asyncio.run(answer())
    rollout.close()
    return found


@pytest.mark.parametrize(
    "authorization",
    [None, b"", b"Bearer", b"Bearer ", b"Bearer wrong", TOKEN.encode(), f"Basic {TOKEN}".encode(), b"Bearer \xff\xfe"],
)
@pytest.mark.parametrize("path", ["/models/diamond-price/deploy", "/models/diamond-price/rollback", "/nowhere"])
def test_without_the_token_nothing_is_changed_and_the_body_is_not_read(
    machine: FakeMachine, path: str, authorization: bytes | None
) -> None:
    answer = ask(machine, "POST", path, authorization)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer <token>" in answer.json()["message"]
    assert TOKEN not in answer.text


def test_with_the_token_a_change_is_listened_to(machine: FakeMachine) -> None:
    answer = ask(machine, "POST", "/models/diamond-price/deploy", f"Bearer {TOKEN}".encode())
    assert (answer.status_code, answer.json()["message"].partition(":")[0]) == (422, "body")


@pytest.mark.parametrize("path", ["/health", "/models", "/models/diamond-price/deployments"])
def test_questions_are_free(machine: FakeMachine, path: str) -> None:
    assert ask(machine, "GET", path, None).status_code == 200


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in FOR_CONTAINERS:
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", "something")
    return monkeypatch


def test_the_container_backend_says_which_settings_it_lacks(settings: pytest.MonkeyPatch) -> None:
    settings.setenv(f"{PREFIX}BACKEND", "containers")
    read_settings()
    settings.delenv(f"{PREFIX}TOKEN_FILE")
    settings.setenv(f"{PREFIX}BASE_IMAGES", " , ")
    with pytest.raises(Refused, match=f"expected {PREFIX}TOKEN_FILE, {PREFIX}BASE_IMAGES for {PREFIX}BACKEND=contain"):
        read_settings()


def test_without_a_word_releases_are_processes_and_no_token_is_wanted() -> None:
    settings = read_settings()
    assert (settings.backend, settings.token_file) == (BackendName.PROCESSES, None)


def test_base_images_are_separated_by_commas(settings: pytest.MonkeyPatch) -> None:
    settings.setenv(f"{PREFIX}BASE_IMAGES", "trackback/prediction-onnx:1, trackback/prediction-fasttext:1,")
    assert read_settings().base_images == ("trackback/prediction-onnx:1", "trackback/prediction-fasttext:1")


@pytest.mark.parametrize(
    ("name", "value", "said"), [("BACKEND", "vms", "BACKEND: Input should be"), ("PROJECT", "a/b", "PROJECT: String")]
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(Refused, match=f"{PREFIX}{said}"):
        read_settings()

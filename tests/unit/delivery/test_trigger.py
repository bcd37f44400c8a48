"""Asking GoCD to look at once: again while a poll is under way, and never a reason for a promotion to fail."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from services.delivery.promotions.trigger import ask_for_poll
from services.delivery.settings import Settings
from tests.support.embedded_ci import serving

MATERIAL = {"config": {"fingerprint": "f00", "attributes": {"ref": "a-model"}}}


class Gocd:
    """Has one material, and answers 409 to the first requests for a poll, as while one is under way."""

    def __init__(self) -> None:
        self.app, self.asked, self.busy = FastAPI(), 0, 0
        self.app.get("/go/api/internal/materials")(lambda: {"materials": [MATERIAL]})
        self.app.post("/go/api/internal/materials/f00/trigger_update")(self.trigger_update)

    def trigger_update(self) -> JSONResponse:
        self.asked += 1
        busy = self.asked <= self.busy
        return JSONResponse({"message": "Update already in progress." if busy else "OK"}, 409 if busy else 201)


@pytest.fixture
def gocd() -> Iterator[tuple[Gocd, Settings]]:
    gocd = Gocd()
    with serving(gocd.app) as url:
        yield gocd, Settings(gocd_url=f"{url}/go")


def test_a_poll_that_is_under_way_is_followed_by_one_that_sees_the_tag(gocd: tuple[Gocd, Settings]) -> None:
    server, settings = gocd
    server.busy = 2
    assert ask_for_poll(settings, "a-model")
    assert server.asked == 3


def test_a_package_that_no_pipeline_waits_for_is_a_note(
    gocd: tuple[Gocd, Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not ask_for_poll(gocd[1], "b-model")
    assert "will see the tag when it polls (no pipeline waits for the package 'b-model')" in capsys.readouterr().err


def test_a_gocd_that_is_away_is_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert not ask_for_poll(Settings(gocd_url="http://127.0.0.1:9/go"), "a-model")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("note: GoCD was not asked to look at once and will see the tag when it polls (expected GoCD")

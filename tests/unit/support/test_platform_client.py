"""How long the journey waits, and what it says meanwhile."""

import pytest

from services.platform.settings import Urls
from tests.journey import conftest
from tests.support.platform_client import Access, Json, PlatformClient

URLS = Urls(mlflow="http://mlflow:5000", gocd="http://gocd:8153/go", rollout="http://rollout:8154")


class Idle(PlatformClient):
    """On a platform where nothing ever runs."""

    def instances(self, pipeline: str) -> list[Json]:  # noqa: ARG002  the same for each
        return []


def test_a_delivery_is_waited_for_as_long_as_the_platform_may_take_and_the_wait_is_told() -> None:
    said: list[str] = []
    client = Idle(Access(URLS, {}, patience=0, say=said.append))
    with pytest.raises(AssertionError, match="waited 0 s for an instance of diamond-price to end"):
        client.delivered(0, "f" * 32)
    assert said == ["waiting up to 0 s for an instance of diamond-price to end"]


def test_on_given_servers_the_journey_waits_longer_than_gocd_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in (("MLFLOW", URLS.mlflow), ("GOCD", URLS.gocd), ("ROLLOUT", URLS.rollout)):
        monkeypatch.setenv(f"TRACKBACK_{name}_URL", url)
    said: list[str] = []
    access = conftest.given(said.append)
    access.say("waiting")
    assert said == ["waiting"]
    assert access.patience > 3600

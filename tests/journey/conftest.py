"""The platform that the journey is told on: the one that the environment names, else one of our own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.embedded.platform_settings import Urls
from tests.journey.traveller import Traveller
from tests.platform_process import running_platform

_VARIABLES = ("TRACKBACK_MLFLOW_URL", "TRACKBACK_GOCD_URL", "TRACKBACK_ROLLOUT_URL")


@pytest.fixture(scope="module")
def traveller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traveller]:
    if all(name in os.environ for name in _VARIABLES):
        mlflow, gocd, rollout = (os.environ[name] for name in _VARIABLES)
        urls = Urls(mlflow=mlflow, gocd=gocd, rollout=rollout)
        yield Traveller(urls, {**os.environ, **urls.environment()})
        return
    state: Path = tmp_path_factory.mktemp("journey") / "state"
    with running_platform(state) as platform:
        yield Traveller(platform.urls, platform.environment)

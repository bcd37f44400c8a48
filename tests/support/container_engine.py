"""Whether a container engine and its images are there: tests that need them skip with the reason, and fail in CI."""

import os
from typing import NoReturn

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.support.paths import ROOT

OFFLINE = ROOT / "tests" / "offline" / "offline.env"


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The engine's client."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        _missing(f"expected a container engine, cannot reach one ({error}): start it, or install docker.io")
    return client


def image_of(client: docker.DockerClient, variable: str) -> str:
    """The name in the environment, else that of its stand-in. Without the image there is nothing to test with."""
    lines = [line.partition("=") for line in OFFLINE.read_text().splitlines() if not line.startswith("#")]
    name = os.environ.get(variable) or {name: value for name, _, value in lines}[variable]
    try:
        client.images.get(name)
    except ImageNotFound:
        _missing(f"expected the image {name} ({variable}), found none: run tests/offline/images")
    return name


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

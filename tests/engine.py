"""Whether a container engine is there: tests that need one skip with the reason, and fail where CI says so."""

import os

import docker
import pytest
from docker.errors import DockerException


@pytest.fixture(scope="session")
def engine() -> docker.DockerClient:
    """The engine's client. Skips without an engine; with the variable CI set, that is a failure."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        reason = f"expected a container engine, cannot reach one ({error}): start it, or install docker.io"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return client

"""The platforms that the journey is taken on: the one that the environment names, else each of ours."""

import os
from collections.abc import Callable, Iterator

import docker
import pytest

from services.platform.settings import Urls
from tests.support.built_image import machine_image
from tests.support.compose_stack import Stack, running_stack
from tests.support.container_engine import engine
from tests.support.platform_client import TRACKBACK, Access, PlatformClient
from tests.support.platform_process import RunningPlatform, running_platform

__all__ = ["engine", "machine_image"]

_VARIABLES = ("TRACKBACK_MLFLOW_URL", "TRACKBACK_GOCD_URL", "TRACKBACK_ROLLOUT_URL")
# After failed polls GoCD polls a material again within 60 minutes; then come the stages and their agents.
GOCD_RESTS_SECONDS = 3600
GIVEN = all(name in os.environ for name in _VARIABLES)
# One stack for all of them, in their order; the tests on other platforms run beside.
ON_THE_STACK = pytest.mark.stack
OURS = ["one-machine", pytest.param("compose", marks=ON_THE_STACK)]
PLATFORMS = ["given"] if GIVEN else OURS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before tests are chosen by their markers."""
    for item in items:
        if item.get_closest_marker("any_platform") and item.get_closest_marker("stack"):
            item.add_marker(pytest.mark.nightly)


@pytest.fixture(scope="session")
def stack(engine: docker.DockerClient) -> Iterator[Stack]:  # noqa: ARG001  skips where there is none
    with running_stack("trackback-journey") as found:
        yield found


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    with running_platform(tmp_path_factory.mktemp("journey") / "state") as found:
        yield found


@pytest.fixture(scope="module", params=PLATFORMS)
def access(request: pytest.FixtureRequest) -> Access:
    if request.param == "compose":
        return of_stack(request.getfixturevalue("stack"))
    if request.param == "given":
        return given(say_on_terminal(request.config))
    platform = request.getfixturevalue("platform")
    return Access(platform.urls, platform.environment)


@pytest.fixture(scope="module")
def client(access: Access) -> PlatformClient:
    return PlatformClient(access)


def given(say: Callable[[str], None]) -> Access:
    """With the patience that a GoCD of somebody else may ask for."""
    mlflow, gocd, rollout = (os.environ[name] for name in _VARIABLES)
    urls = Urls(mlflow=mlflow, gocd=gocd, rollout=rollout)
    command = tuple(os.environ.get("TRACKBACK_COMMAND", TRACKBACK).split())
    environment = {**os.environ, **urls.environment()}
    return Access(urls, environment, command, os.environ.get("TRACKBACK_GOCD_TOKEN"), GOCD_RESTS_SECONDS + 600, say)


def say_on_terminal(config: pytest.Config) -> Callable[[str], None]:
    """Not what is captured and shown at the end: who waits for an hour wants to know what for."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return (lambda text: reporter.write_line(f"\n{text}")) if reporter else lambda _: None


def of_stack(stack: Stack) -> Access:
    """Commands run in the stack, as they do for whoever has nothing but an engine."""
    command = ("docker", "compose", "run", "--rm", "--no-TTY", "--no-deps", "trackback")
    return Access(stack.urls, {**os.environ, **stack.variables}, command, stack.secrets["TRACKBACK_GOCD_TOKEN"])

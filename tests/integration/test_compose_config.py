"""Compose itself reads our files as we mean them, for each way in which the stack can be started."""

import json
import os
import subprocess
from typing import Any

import docker
import pytest

from tests.support.container_engine import engine
from tests.support.paths import ROOT
from tests.support.poll import PATIENCE

__all__ = ["engine"]

GOCD, EMBEDDED = {"gocd-server", "gocd-agent"}, {"embedded"}


def services(profile: str, *files: str) -> dict[str, Any]:
    """Those that `docker compose up` would start, with every variable filled in."""
    options = [word for file in (".env", *files) for word in ("--env-file", file)]
    environment = {**os.environ, "COMPOSE_PROFILES": profile}
    command = ["docker", "compose", *options, "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    assert "variable is not set" not in done.stderr
    return dict(json.loads(done.stdout)["services"])


@pytest.mark.parametrize(
    ("profile", "files", "there", "absent"),
    [
        ("gocd", (), GOCD, EMBEDDED | {"training", "grafana", "gocd-image-agent"}),
        ("embedded", ("tests/offline/offline.env",), EMBEDDED, GOCD | {"training", "grafana"}),
        ("gocd,jobs", (), GOCD | {"training", "trackback"}, EMBEDDED),
        ("gocd,images", (), GOCD | {"gocd-image-agent"}, EMBEDDED),
        ("gocd,observability", (), GOCD | {"prometheus", "grafana"}, EMBEDDED),
    ],
)
def test_each_profile_is_a_whole_stack(
    engine: docker.DockerClient,  # noqa: ARG001, F811  skips where there is none
    profile: str,
    files: tuple[str, ...],
    there: set[str],
    absent: set[str],
) -> None:
    found = set(services(profile, *files))
    assert there | {"mlflow", "postgres", "object-store", "registry", "rollout", "gateway", "gocd-setup"} <= found
    assert not absent & found


def test_the_offline_stack_is_the_same_but_for_images(engine: docker.DockerClient) -> None:  # noqa: ARG001, F811
    real, offline = services("gocd"), services("gocd", "tests/offline/offline.env")
    assert set(real) == set(offline)
    for name, service in real.items():
        other = offline[name]
        assert service.get("command") == other.get("command")
        assert [one["target"] for one in service.get("volumes", [])] == [
            one["target"] for one in other.get("volumes", [])
        ]
    stand_ins = {one["image"] for one in offline.values() if not one["image"].startswith("trackback/")}
    assert all(image.startswith("standin/") for image in stand_ins)

"""The stack that was lost with all its volumes, last of all: what was delivered is back, and delivery goes on."""

import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contract import names
from tests.journey.conftest import GIVEN, ON_THE_STACK, of_stack
from tests.support.compose_stack import Stack, environment, run
from tests.support.paths import ROOT
from tests.support.platform_client import MODEL, PlatformClient
from tests.support.poll import poll_until

SECONDS = 600

pytestmark = [
    ON_THE_STACK,
    pytest.mark.skipif(GIVEN, reason="nobody's own stack is taken down: unset TRACKBACK_MLFLOW_URL"),
]


@pytest.fixture
def client(stack: Stack) -> Iterator[PlatformClient]:
    """On the stack of the other journeys, which is why this file comes behind theirs; commands mean that stack."""
    found = PlatformClient(of_stack(stack))
    with environment(stack.variables):
        if not found.state()["live"]:
            deliver(found, "boosted")
        yield found


def deliver(client: PlatformClient, variant: str) -> str:
    run_id, before = client.train("--variant", variant), client.newest(MODEL)
    client.promote(run_id, f"{variant} is what we want")
    build = client.delivered(before, run_id)
    assert set(client.stages(build).values()) == {"Passed"}
    return run_id


def lose_everything(stack: Stack) -> None:
    run("scripts/remove", "--everything", seconds=SECONDS)
    releases = f"127.0.0.1:{stack.variables['REGISTRY_PORT']}/{names.IMAGES}/*"
    assert stack.docker("image", "ls", "--quiet", releases) == ""
    assert stack.docker("ps", "--all", "--quiet", "--filter", f"label=trackback.project={stack.project}") == ""
    assert stack.docker("volume", "ls", "--quiet", "--filter", f"name=^{stack.project}_") == ""


def refusal(*words: str | Path) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 1
    return done.stderr


def everything_told(client: PlatformClient) -> dict[str, object]:
    """What is live, where it came from, and what each server remembers of it."""
    answer = client.ask()
    trace = client.trackback("trace", MODEL)
    run_id = client.champion()
    return {
        "revision": answer.headers[names.REVISION_HEADER],
        "answer": answer.json(),
        "trace": trace,
        "run": settled(client, run_id),
        "verified": client.trackback("verify-data", run_id),
        "builds": client.newest(MODEL),
        "deployments": client.newest(f"{MODEL}-online"),
        "secrets": run("scripts/secrets", "show", seconds=60),
    }


def settled(client: PlatformClient, run_id: str) -> Any:
    """With its outcome, which is told a little later, and with its tags in one order: MLflow keeps none."""

    def told() -> Any:
        found = client.run(run_id)
        tags = found["data"]["tags"]
        tags.sort(key=lambda tag: tag["key"])
        return found if any(tag["key"] == names.OUTCOME_TAG for tag in tags) else None

    return poll_until(told, f"the outcome on run {run_id}", SECONDS)


def test_what_was_delivered_is_back_and_delivery_goes_on(stack: Stack, client: PlatformClient, tmp_path: Path) -> None:
    before, folder = everything_told(client), tmp_path / "backup"

    with client.keeps_asking() as asking:
        run("scripts/backup", str(folder), seconds=SECONDS)
    assert asking.failures == []
    assert not re.findall("starting|unhealthy|Paused", stack.command("ps", "--format", "{{.Status}}"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert "no state, found volumes" in refusal("scripts/restore", folder)

    lose_everything(stack)
    run("scripts/restore", str(folder), seconds=SECONDS)
    stack.command("up", "--detach", "--wait")
    poll_until(lambda: client.state()["answering"], "what was live to answer again")
    assert everything_told(client) == before

    builds = client.newest(MODEL)
    again = deliver(client, "boosted-slow")
    assert client.ask().headers[names.REVISION_HEADER] == f"{builds + 1}-{again[:8]}"


def test_a_backup_that_was_changed_is_not_restored(tmp_path: Path) -> None:
    (tmp_path / "postgres.dump").write_text("another")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  postgres.dump\n")
    assert "expected its files as they were written" in refusal("scripts/restore", tmp_path)


def test_a_backup_never_overwrites_another(tmp_path: Path) -> None:
    assert f"{tmp_path}: expected a folder that is not there yet" in refusal("scripts/backup", tmp_path)

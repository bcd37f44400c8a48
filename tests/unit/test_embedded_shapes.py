"""Our answers against those recorded from a GoCD 26.1.0: every field of ours is one of GoCD's, of the same type."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.embedded.differences import ADDED, LEFT_OUT
from tests.poll import poll_until
from tests.unit.embedded.world import World, pipeline, python, running, stage

SAMPLES = Path(__file__).parent / "gocd_samples"
KEEPS = {"artifacts": [{"build": {"source": "bundle"}}]}
MODEL = python("import pathlib; pathlib.Path('bundle/model').mkdir(parents=True); open('bundle/model/a', 'w').close()")

# What each recording is compared with: the path of our answer and the version asked for.
ANSWERS = {
    "pipeline_history": ("api/pipelines/deploy-churn/history", 1),
    "pipeline_instance": ("api/pipelines/deploy-churn/1", 1),
    "pipeline_instance_failed": ("api/pipelines/failing/1", 1),
    "pipeline_status": ("api/pipelines/deploy-churn/status", 1),
    "stage_instance": ("api/stages/deploy-churn/1/release/1", 3),
    "version": ("api/version", 1),
    "health": ("api/v1/health", 1),
    "server_health_messages_failing": ("api/server_health_messages", 1),
    "repositories": ("api/admin/repositories", 1),
    "packages": ("api/admin/packages", 2),
    "package": ("api/admin/packages/churn", 2),
    "internal_materials": ("api/internal/materials", 1),
    "artifacts_listing": ("files/deploy-churn/1/fetch/1/fetch.json", 1),
    "plugin_info": ("api/admin/plugin_info/stub.package", 7),
    "config_repos": ("api/admin/config_repos", 4),
    "config_repo": ("api/admin/config_repos/platform-pipelines", 4),
}

Shape = dict[str, set[str]]


def kind(value: Any) -> str:
    """JSON's types, with GoCD's whole numbers told from the others."""
    return "null" if value is None else type(value).__name__


def fields(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every field below `value` with its type; entries of lists and of listings of files share a path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            place = path if path.endswith("files") and key == "files" else f"{path}.{key}".lstrip(".")
            yield place, kind(inner)
            yield from fields(inner, place)
    if isinstance(value, list):
        for inner in value:
            yield from fields(inner, path)


def shape(value: Any) -> Shape:
    found: Shape = {}
    for path, type_name in fields(value):
        found.setdefault(path, set()).add(type_name)
    return found


def below(path: str, listed: dict[str, str]) -> bool:
    return any(path == it or path.startswith(f"{it}.") for it in listed)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A platform in the state that was recorded: one finished instance, one failed, one package that fails."""
    manual = {"approval": {"type": "manual"}}
    pipelines = {
        "deploy-churn": pipeline(stage("fetch", MODEL, job=KEEPS), stage("release", **manual)),
        "failing": pipeline(stage("fetch", python("raise SystemExit(1)")), stage("release", **manual)),
        "empty": pipeline(stage("one"), materials={"model": {"package": "nothing"}}),
    }
    with running(tmp_path_factory.mktemp("state"), pipelines) as world:
        prepare(world)
        yield {name: ask(world, path, version) for name, (path, version) in ANSWERS.items()}


CONFIG_REPO = {
    "id": "platform-pipelines",
    "plugin_id": "yaml.config.plugin",
    "material": {"type": "git", "attributes": {"url": "file:///nowhere", "branch": "main", "auto_update": False}},
    "configuration": [{"key": "file_pattern", "value": "gocd/**/*.gocd.yaml"}],
    "rules": [{"directive": "allow", "action": "refer", "type": "pipeline_group", "resource": "ml"}],
}


def prepare(world: World) -> None:
    assert world.post("admin/config_repos", 4, CONFIG_REPO).status_code == 200
    world.define()
    world.promote("r1")
    world.finished("failing/1/fetch/1")
    world.finished("deploy-churn/1/fetch/1")
    assert world.post("stages/deploy-churn/1/release/run", 2).status_code == 202
    world.finished("deploy-churn/1/release/1")
    world.define("nothing")
    failed = "Modification check failed"
    poll_until(lambda: failed in world.get("server_health_messages").text, "the failed poll")


def ask(world: World, path: str, version: int) -> Any:
    found = world.http.get(f"/go/{path}", headers={"Accept": f"application/vnd.go.cd.v{version}+json"})
    assert found.status_code == 200, found.text
    return found.json()


@pytest.mark.parametrize("name", ANSWERS)
def test_every_field_of_ours_is_one_of_gocd_with_its_type(name: str, answers: dict[str, Any]) -> None:
    recorded, ours = shape(json.loads((SAMPLES / f"{name}.json").read_text())), shape(answers[name])
    strange = {path: types for path, types in ours.items() if not types <= recorded.get(path, set())}
    assert {path: types for path, types in strange.items() if path not in ADDED.get(name, {})} == {}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_field_of_gocd_that_we_leave_out_is_listed_with_a_reason(name: str, answers: dict[str, Any]) -> None:
    recorded, ours = shape(json.loads((SAMPLES / f"{name}.json").read_text())), shape(answers[name])
    listed = LEFT_OUT.get(name, {})
    assert {path for path in recorded if path not in ours and not below(path, listed)} == set()
    assert {path for path in listed if path in ours or path not in recorded} == set()


def test_a_stage_that_was_not_scheduled_has_no_result(answers: dict[str, Any]) -> None:
    fetch, release = answers["pipeline_instance_failed"]["stages"]
    assert (fetch["result"], fetch["status"]) == ("Failed", "Failed")
    assert (release["status"], release["counter"], release["scheduled"]) == ("Unknown", "1", False)
    assert "result" not in release

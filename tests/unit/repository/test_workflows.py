"""What runs on GitHub: files that parse, commands that are there, pinned actions, and no more rights than needed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.makefile import targets
from tests.support.paths import ROOT
from tests.support.tracked import tracked

MADE = targets()
GITHUB = ROOT / ".github"
FILES = [name for name in tracked() if name.startswith(".github/") and name.endswith(".yml")]
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: (?P<action>[\w-]+/[\w-]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
# What each kind of thing is read from.
READ_BY_DEPENDABOT = {
    "pip": "*.in",
    "maven": "pom.xml",
    "docker": "Dockerfile",
    "github-actions": ".github/workflows/*.yml",
}

each = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in read(workflow)["jobs"].values():
        yield from job["steps"]


def script(command: str) -> str:
    """What a step starts, also by way of make."""
    program, *words = command.split()
    return MADE[words[0]].program if program == "make" else program


@pytest.mark.parametrize("name", [*FILES, ".pre-commit-config.yaml"])
def test_every_file_is_yaml(name: str) -> None:
    assert isinstance(read(ROOT / name), dict)


@each
def test_every_command_is_one_of_ours(workflow: Path) -> None:
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    assert commands
    for command in commands:
        assert (ROOT / script(command)).is_file(), f"{workflow.name}: {command}"


@each
def test_every_action_is_pinned_to_a_commit_and_says_its_version(workflow: Path) -> None:
    used = re.findall(r"uses: .+", workflow.read_text())
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_an_action_is_the_same_everywhere() -> None:
    found = {match.groups() for path in WORKFLOWS for match in PINNED.finditer(path.read_text())}
    assert len(found) == len({action for action, *_ in found})


@each
def test_a_workflow_may_only_read_and_ends(workflow: Path) -> None:
    content = read(workflow)
    assert content["permissions"] == {"contents": "read"}
    assert content["concurrency"]["cancel-in-progress"] is True
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert "permissions" not in job
    checkouts = [step for step in steps(workflow) if "checkout@" in step.get("uses", "")]
    assert [step["with"] for step in checkouts] == [{"persist-credentials": False}] * len(content["jobs"])


def test_libraries_are_kept_until_a_lock_changes() -> None:
    caches = [step["with"] for step in steps(GITHUB / "workflows" / "ci.yml") if "cache@" in step.get("uses", "")]
    assert caches
    for cache in caches:
        assert "hashFiles('requirements/*.txt', 'plugin/**/pom.xml')" in cache["key"]
        assert cache["path"].split() == ["~/.cache/pip", "~/.cache/uv", "~/.m2/repository"]


def test_each_change_takes_what_a_submission_must_pass_and_the_floor_of_coverage() -> None:
    commands = {step.get("run") for step in steps(GITHUB / "workflows" / "ci.yml")}
    assert {"scripts/check", "make coverage", "make in-debian"} <= commands
    assert MADE["in-debian"].command == "tests/offline/in-debian .ci/run"
    assert "--cov" in MADE["coverage"].command.split()


def test_once_a_week_the_newest_versions_are_locked_and_tested() -> None:
    workflow = GITHUB / "workflows" / "newest.yml"
    # `on` is YAML 1.1's word for true.
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", read(workflow)[True]["schedule"][0]["cron"])
    assert [step["run"] for step in steps(workflow) if "run" in step] == ["scripts/lock --upgrade", "make in-debian"]


def test_each_night_what_a_full_run_leaves_out_is_tested() -> None:
    workflow = GITHUB / "workflows" / "nightly.yml"
    assert re.fullmatch(r"\d+ \d+ \* \* \*", read(workflow)[True]["schedule"][0]["cron"])
    assert [step["run"] for step in steps(workflow) if "run" in step] == ["make in-debian ARGS=--nightly"]


def test_git_runs_what_check_runs_and_nothing_else() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    (hook,) = repository["hooks"]
    assert repository["repo"] == "local"
    assert (hook["entry"], hook["language"]) == (MADE["check"].command, "system")
    assert (hook["pass_filenames"], hook["always_run"]) == (False, True)


def test_the_update_bot_finds_what_it_reads() -> None:
    updates = {update["package-ecosystem"]: update for update in read(GITHUB / "dependabot.yml")["updates"]}
    assert updates.keys() == READ_BY_DEPENDABOT.keys()
    for kind, update in updates.items():
        assert list((ROOT / update["directory"].strip("/")).glob(READ_BY_DEPENDABOT[kind])), kind
        assert update["schedule"] == {"interval": "weekly"}


def test_the_update_bot_reads_the_images_of_the_stack() -> None:
    """After a change of either: the same in the other."""
    variables = dict(re.findall(r"^(\w+)_IMAGE=(.+)$", (ROOT / ".env").read_text(), re.M))
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", (GITHUB / "images" / "Dockerfile").read_text(), re.M)
    assert {stage: image for image, stage in stages} == {
        name.lower().replace("_", "-"): image for name, image in variables.items()
    }


def test_every_owned_path_is_there_and_the_models_are_the_data_scientists() -> None:
    lines = (GITHUB / "CODEOWNERS").read_text().splitlines()
    owned = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    assert [path for path in owned if path != "*" and not (ROOT / path.lstrip("/")).exists()] == []
    # The last line that fits decides.
    assert list(owned) == ["*", "/training/models/"]
    assert len(set(owned.values())) == 2

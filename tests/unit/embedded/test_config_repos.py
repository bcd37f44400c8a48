"""Pipelines that come from a git repository: a commit changes them, a wrong commit changes nothing but what is said."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from services.embedded.polling.config_repo import ConfigRepo, Rule
from services.embedded.polling.git_clone import GitClone
from tests.support.embedded_ci import FAST, CiWithFakePlugin, pipeline, python, running, stage, written
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

FILE = "services/gocd/pipelines.gocd.yaml"
AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Source:
    """A repository that a test commits into."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.url = folder, folder.as_uri()
        git(folder, "init", "--quiet", "--initial-branch=main")

    def commit(self, text: str, path: str = FILE) -> str:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        return self.committed(f"changed {path}")

    def committed(self, comment: str) -> str:
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", comment)
        return git(self.folder, "rev-parse", "HEAD")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = Source(tmp_path / "source")
    source.commit(written({"churn": pipeline(stage("one"))}))
    return source


def alone(tmp_path: Path) -> AbstractContextManager[CiWithFakePlugin]:
    """A server without a file of pipelines, that looks at everything many times a second."""
    (tmp_path / "state").mkdir(exist_ok=True)
    return running(tmp_path / "state", None, FAST)


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[CiWithFakePlugin]:
    with alone(tmp_path) as ci:
        yield ci


def definition(source: Source, **more: Any) -> dict[str, Any]:
    return {
        "id": "trackback",
        "plugin_id": "yaml.config.plugin",
        "material": {"type": "git", "attributes": {"url": source.url, "branch": "main", "auto_update": True}},
        "configuration": [{"key": "file_pattern", "value": FILE}],
        "rules": [{"directive": "allow", "action": "refer", "type": "pipeline_group", "resource": "ml"}],
    } | more


def follow(ci: CiWithFakePlugin, source: Source, **more: Any) -> None:
    created = ci.post("admin/config_repos", 4, definition(source, **more))
    assert created.status_code == 200, created.text


def parse_info(ci: CiWithFakePlugin, revision: str) -> dict[str, Any]:
    """Once this commit was read."""

    def look() -> dict[str, Any] | None:
        (found,) = ci.get("internal/config_repos", 4).json()["_embedded"]["config_repos"]
        info: dict[str, Any] = found["parse_info"]
        return info if info and info["latest_parsed_modification"]["revision"] == revision else None

    return poll_until(look, f"commit {revision}", pause=0.02)


def names(ci: CiWithFakePlugin) -> list[str]:
    return sorted(ci.engine.pipelines.pipelines)


def health(ci: CiWithFakePlugin) -> list[dict[str, str]]:
    return list(ci.get("server_health_messages").json())


def test_without_a_config_repo_there_is_no_pipeline(ci: CiWithFakePlugin) -> None:
    assert names(ci) == []
    assert "Trackback" in ci.http.get("/").text
    assert ci.get("admin/config_repos", 4).json()["_embedded"]["config_repos"] == []


def test_a_commit_changes_the_pipelines(ci: CiWithFakePlugin, source: Source) -> None:
    first = git(source.folder, "rev-parse", "HEAD")
    follow(ci, source)
    assert parse_info(ci, first)["error"] is None
    assert names(ci) == ["churn"]
    second = source.commit(written({"churn": pipeline(stage("two")), "more": pipeline(stage("one"))}))
    info = parse_info(ci, second)
    assert info["good_modification"] == info["latest_parsed_modification"]
    assert info["latest_parsed_modification"]["username"] == "Ann <ann@example.com>"
    assert names(ci) == ["churn", "more"]
    assert ci.engine.pipelines.pipelines["churn"].stage_names == ["two"]
    assert health(ci) == [it for it in health(ci) if "package id 'churn'" in it["detail"]]


def test_a_wrong_commit_leaves_the_pipelines_and_is_told_with_file_and_line(
    ci: CiWithFakePlugin, source: Source
) -> None:
    follow(ci, source)
    ci.define()
    first = git(source.folder, "rev-parse", "HEAD")
    parse_info(ci, first)
    wrong = source.commit(written({"churn": pipeline(stage("one"), colour="red")}))
    info = parse_info(ci, wrong)
    line = (source.folder / FILE).read_text().splitlines().index("    colour: red") + 1
    assert info["error"] == f"{FILE}:{line}: pipelines.churn.colour: Extra inputs are not permitted"
    assert info["good_modification"]["revision"] == first
    assert names(ci) == ["churn"]
    (message,) = [it for it in health(ci) if it["detail"] == info["error"]]
    assert message["message"] == (
        "Parsing configuration repository using Plugin yaml.config.plugin failed for material:"
        f" URL: {source.url}, Branch: main"
    )
    right = source.commit(written({"better": pipeline(stage("one"))}))
    assert parse_info(ci, right)["error"] is None
    assert names(ci) == ["better"]
    assert info["error"] not in ci.get("server_health_messages").text


def test_new_pipelines_run_and_old_ones_stop_being_polled(ci: CiWithFakePlugin, source: Source) -> None:
    follow(ci, source)
    ci.define()
    poll_until(lambda: ci.engine.materials.pollers(), "the poller", pause=0.02)
    ci.promote("r1")
    ci.finished("churn/1/one/1")
    source.commit(written({"other": pipeline(stage("one"), materials={"model": {"package": "other"}})}))
    poll_until(lambda: not ci.engine.materials.pollers(), "the end of the poller", pause=0.02)
    assert ci.get("pipelines/churn/history").status_code == 404
    assert "/go/files/churn/" not in ci.http.get("/").text
    ci.define("other")
    ci.promote("r1", package="other")
    ci.finished("other/1/one/1")


def test_a_job_that_runs_while_its_pipeline_goes_away_ends_and_starts_nothing(
    ci: CiWithFakePlugin, source: Source, tmp_path: Path
) -> None:
    may_end = tmp_path / "may-end"
    waits = python(f"""
        import pathlib, time
        while not pathlib.Path({str(may_end)!r}).exists():
            time.sleep(0.02)
    """)
    source.commit(written({"churn": pipeline(stage("one", waits), stage("two"))}))
    follow(ci, source)
    ci.define()
    poll_until(lambda: ci.engine.materials.pollers(), "the poller", pause=0.02)
    ci.promote("r1")
    parse_info(ci, source.commit(written({"other": pipeline(stage("one"))})))
    may_end.touch()
    instance = ci.engine.history.instance("churn", 1)
    assert instance
    ran = poll_until(lambda: [it for it in ci.engine.stages.runs(instance, "one") if not it.active], "the end", 20)
    assert ran[0].result == "Passed"
    assert ci.engine.stages.runs(instance, "two") == []
    assert ci.get("stages/churn/1/one/1", 3).status_code == 404
    assert ci.http.get("/").status_code == 200


def test_another_group_needs_a_rule(ci: CiWithFakePlugin, source: Source) -> None:
    follow(ci, source)
    wrong = source.commit(written({"churn": pipeline(stage("one"), group="payroll")}))
    assert parse_info(ci, wrong)["error"] == (
        "Not allowed to refer to pipeline group 'payroll'. Check the 'Rules' of this config repository."
    )


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ((), False),
        ((Rule(True, "pipeline_group", "models"),), True),
        ((Rule(True, "pipeline_group", "mod*"),), True),
        ((Rule(True, "*", "*"),), True),
        ((Rule(False, "pipeline_group", "models"), Rule(True, "*", "*")), False),
        ((Rule(True, "pipeline_group", "other"),), False),
    ],
)
def test_the_first_rule_that_fits_decides(rules: tuple[Rule, ...], may: bool) -> None:
    assert ConfigRepo("a", "u", "main", True, None, rules).may_use("models") is may


def test_two_sources_cannot_have_a_pipeline_of_the_same_name(tmp_path: Path, source: Source) -> None:
    (tmp_path / "state").mkdir()
    with running(tmp_path / "state", {"churn": pipeline(stage("of-the-file"))}, FAST) as ci:
        follow(ci, source)
        info = parse_info(ci, git(source.folder, "rev-parse", "HEAD"))
        assert info["error"] == "You have defined multiple pipelines named 'churn'. Pipeline names must be unique."
        assert ci.engine.pipelines.pipelines["churn"].stage_names == ["of-the-file"]


def test_an_unreachable_repository_is_told_and_tried_again(ci: CiWithFakePlugin, source: Source) -> None:
    source.folder.rename(source.folder.with_name("away"))
    follow(ci, source)
    poll_until(lambda: health(ci), "the message", pause=0.02)
    assert health(ci)[0]["message"].startswith("Modification check failed for material: URL: file://")
    source.folder.with_name("away").rename(source.folder)
    parse_info(ci, git(source.folder, "rev-parse", "HEAD"))
    assert "Modification check failed for material: URL" not in ci.get("server_health_messages").text


def test_a_restart_has_the_last_good_pipelines_without_the_repository(tmp_path: Path, source: Source) -> None:
    with alone(tmp_path) as ci:
        follow(ci, source)
        ci.define()
        parse_info(ci, git(source.folder, "rev-parse", "HEAD"))
        parse_info(ci, source.commit("not: [yaml"))
    source.folder.rename(source.folder.with_name("away"))
    with alone(tmp_path) as ci:
        assert names(ci) == ["churn"]
        ci.promote("r1")
        ci.finished("churn/1/one/1")


def test_a_job_that_the_end_of_the_server_interrupted_runs_again(tmp_path: Path, source: Source) -> None:
    marker = tmp_path / "marker"
    waits = python(
        f"import pathlib, time; m = pathlib.Path({str(marker)!r}); m.exists() or (m.touch(), time.sleep(60))"
    )
    source.commit(written({"churn": pipeline(stage("one", waits))}))
    with alone(tmp_path) as ci:
        follow(ci, source)
        ci.define()
        poll_until(lambda: ci.engine.materials.pollers(), "the poller", pause=0.02)
        ci.promote("r1")
        poll_until(marker.exists, "the job", pause=0.02)
    with alone(tmp_path) as ci:
        assert ci.finished("churn/1/one/1")["result"] == "Passed"


def test_it_looks_when_it_is_asked_to(tmp_path: Path, source: Source) -> None:
    (tmp_path / "state").mkdir()
    with running(tmp_path / "state", None) as ci:
        follow(ci, source)
        parse_info(ci, git(source.folder, "rev-parse", "HEAD"))
        second = source.commit(written({"second": pipeline(stage("one"))}))
        poll_until(lambda: not _in_progress(ci), "rest", pause=0.02)
        asked = ci.post("admin/config_repos/trackback/trigger_update", 4)
        assert (asked.status_code, asked.json()) == (201, {"message": "OK"})
        parse_info(ci, second)
        unconfirmed = {"Accept": "application/vnd.go.cd.v4+json"}
        path = "/go/api/admin/config_repos/trackback/trigger_update"
        assert ci.http.post(path, headers=unconfirmed).status_code == 400
        assert ci.post("admin/config_repos/nosuch/trigger_update", 4).status_code == 404


def _in_progress(ci: CiWithFakePlugin) -> bool:
    return bool(ci.get("admin/config_repos/trackback/status", 4).json()["in_progress"])


def test_all_files_that_match_are_read(ci: CiWithFakePlugin, source: Source) -> None:
    (source.folder / FILE).unlink()
    source.commit(written({"a": pipeline(stage("one"))}), "deep/er/a.gocd.yaml")
    source.commit(written({"b": pipeline(stage("one"))}), "b.gocd.yml")
    last = source.commit("this: is not for us", "other.yaml")
    follow(ci, source, configuration=[])
    assert parse_info(ci, last)["error"] is None
    assert names(ci) == ["a", "b"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.yaml", ["a.yaml"]),
        ("*.yaml", ["a.yaml"]),
        ("**/*.yaml", ["a.yaml", "b/c.yaml", "b/d/e.yaml"]),
        ("b/*.yaml", ["b/c.yaml"]),
        ("b/**", ["b/c.yaml", "b/d/e.yaml"]),
        ("?.yaml, b/c.yaml", ["a.yaml", "b/c.yaml"]),
        ("aXyaml", []),
    ],
)
def test_patterns_are_those_of_gocd(tmp_path: Path, pattern: str, found: list[str]) -> None:
    source = Source(tmp_path / "source")
    for path in ("a.yaml", "b/c.yaml", "b/d/e.yaml"):
        source.commit(path, path)
    clone = GitClone(source.url, "main", tmp_path / "clone.git")
    assert clone.files(clone.fetch(), pattern) == found


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"plugin_id": "json.config.plugin"}, "plugin_id"),
        ({"material": {"type": "hg", "attributes": {"url": "x"}}}, "Unsupported material type: hg"),
        ({"material": {"type": "git", "attributes": {"url": "--upload-pack=x"}}}, "url"),
        ({"configuration": [{"key": "colour", "value": "red"}]}, "configuration"),
        ({"rules": [{"directive": "allow", "action": "refer", "type": "environment", "resource": "x"}]}, "rules"),
        ({"id": "../x"}, "id"),
    ],
)
def test_what_this_server_cannot_follow_is_refused(
    ci: CiWithFakePlugin, source: Source, more: dict[str, Any], says: str
) -> None:
    refused = ci.post("admin/config_repos", 4, definition(source, **more))
    assert refused.status_code == 422
    assert says in refused.text
    assert ci.engine.config_repos.pollers() == []


def test_one_that_is_there_is_not_made_again(ci: CiWithFakePlugin, source: Source) -> None:
    follow(ci, source)
    again = ci.post("admin/config_repos", 4, definition(source))
    message = "Failed to add config-repo 'trackback'. Another config-repo with the same name already exists."
    assert (again.status_code, again.json()["message"]) == (422, message)
    assert again.json()["data"]["errors"]["id"]


def test_a_repository_cannot_run_commands_of_this_machine(ci: CiWithFakePlugin, source: Source, tmp_path: Path) -> None:
    url = f"ext::sh -c touch% {tmp_path}/ran".replace(" ", "%20")
    attributes = {"url": url, "branch": "main", "auto_update": True}
    follow(ci, source, material={"type": "git", "attributes": attributes})
    poll_until(lambda: health(ci), "the message", pause=0.02)
    assert "not allowed" in health(ci)[0]["detail"]
    assert not (tmp_path / "ran").exists()


def test_one_that_is_changed_is_followed_at_its_new_place(ci: CiWithFakePlugin, source: Source) -> None:
    follow(ci, source)
    parse_info(ci, git(source.folder, "rev-parse", "HEAD"))
    git(source.folder, "branch", "another")
    there = ci.get("admin/config_repos/trackback", 4)
    moved = there.json()["material"]["attributes"] | {"branch": "another"}
    changed = definition(source, material={"type": "git", "attributes": moved})
    headers = {"Accept": "application/vnd.go.cd.v4+json", "If-Match": there.headers["etag"]}
    put = ci.http.put("/go/api/admin/config_repos/trackback", headers=headers, json=changed)
    assert (put.status_code, put.json()["material"]["attributes"]["branch"]) == (200, "another")
    stale = ci.http.put("/go/api/admin/config_repos/trackback", headers=headers, json=changed)
    assert stale.status_code == 412
    assert parse_info(ci, git(source.folder, "rev-parse", "HEAD"))["error"] is None


def test_a_definition_survives_a_restart_as_it_was(tmp_path: Path, source: Source) -> None:
    with alone(tmp_path) as ci:
        follow(ci, source)
        before = ci.get("admin/config_repos/trackback", 4).json()
    with alone(tmp_path) as ci:
        assert ci.get("admin/config_repos/trackback", 4).json() == before
        assert json.loads(ci.get("admin/config_repos", 4).text)["_embedded"]["config_repos"] == [before]

"""Setting GoCD up: in the words of its API, once, and without touching what belongs to somebody else."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.contract.errors import Refused
from services.delivery.verbs.gocd import app
from services.gocd import definitions
from services.gocd.asking import until_taken
from services.gocd.client import GoCD
from services.gocd.definitions import Definition
from services.gocd.ready import refuse_without_plugin, wait_until_up
from services.gocd.setup import Step, left_over, refuse_unfinished, set_up
from tests.support.embedded_ci import CiWithFakePlugin, running
from tests.support.embedded_fakes import FakeMlflowPlugin, FakePlugin
from tests.support.gocd_replay import Replay, sample
from tests.support.paths import ROOT
from tests.support.poll import poll_until

URL = "http://gocd.example:8153/go"
MLFLOW = "http://mlflow:5000"
GIT = "git://pipelines/pipelines.git"
PASSWORDS = {"admin": "of the admin", "operator": "of the operator"}
WANTED = (
    definitions.repository(MLFLOW, "http://localhost:5000"),
    definitions.package("diamond-price"),
    definitions.config_repo(GIT, "main"),
)


@pytest.fixture
def replay() -> Replay:
    """As the recorded server is, but with another repository, other packages and another config repo than ours."""
    replay = Replay()
    ours = {definition.id for definition in WANTED}
    for path, listed in (
        ("repositories", "package_repositories"),
        ("packages", "packages"),
        ("config_repos", "config_repos"),
    ):
        answer = sample(path)
        entries = answer["_embedded"][listed]
        answer["_embedded"][listed] = [it for it in entries if it.get("repo_id", it.get("id")) not in ours]
        replay.on("GET", f"/api/admin/{path}", answer)
    replay.on("POST", "/api/admin/repositories", sample("repositories")["_embedded"]["package_repositories"][0])
    replay.on("POST", "/api/admin/packages", sample("package"))
    replay.on("POST", "/api/admin/config_repos", sample("config_repo"))
    replay.on("POST", "/api/admin/config_repos/trackback/trigger_update", {"message": "OK"}, status=201)
    return replay


def gocd(replay: Replay, **who: Any) -> GoCD:
    return GoCD(URL, transport=replay, **who)


def run_set_up(replay: Replay, *wanted: Definition, **how: bool) -> list[Step]:
    with gocd(replay, token="t0ken") as client:
        return list(set_up(client, wanted or WANTED, lambda _: None, **how))


def test_what_is_missing_is_created_in_the_words_of_the_recorded_api(replay: Replay) -> None:
    assert [step.outcome for step in run_set_up(replay)] == ["created"] * 3
    repository, package, config_repo, look = replay.changes()
    assert (repository.path, repository.body) == (
        "/api/admin/repositories",
        {
            "repo_id": "mlflow",
            "name": "mlflow",
            "plugin_metadata": {"id": "trackback.mlflow", "version": "1"},
            "configuration": [
                {"key": "MLFLOW_URL", "value": "http://mlflow:5000"},
                {"key": "MLFLOW_UI_URL", "value": "http://localhost:5000"},
            ],
        },
    )
    assert (package.path, package.body) == (
        "/api/admin/packages",
        {
            "id": "diamond-price",
            "name": "diamond-price",
            "auto_update": True,
            "package_repo": {"id": "mlflow"},
            "configuration": [{"key": "EXPERIMENT", "value": "diamond-price"}, {"key": "TAG", "value": "promote"}],
        },
    )
    assert (config_repo.path, config_repo.body) == (
        "/api/admin/config_repos",
        {
            "id": "trackback",
            "plugin_id": "yaml.config.plugin",
            "material": {"type": "git", "attributes": {"url": GIT, "branch": "main", "auto_update": True}},
            "configuration": [{"key": "file_pattern", "value": "services/gocd/pipelines.gocd.yaml"}],
            "rules": [{"directive": "allow", "action": "refer", "type": "pipeline_group", "resource": "models"}],
        },
    )
    assert look.path == "/api/admin/config_repos/trackback/trigger_update"
    versions = {"repositories": 1, "packages": 2, "config_repos": 4}
    for asked in replay.asked:
        version = versions[asked.path.split("/")[3]]
        assert asked.headers["accept"] == f"application/vnd.go.cd.v{version}+json"
        assert asked.headers["authorization"] == "bearer t0ken"
        assert asked.headers["x-gocd-confirm"] == "true"
        assert asked.body is None or asked.headers["content-type"] == "application/json"


def test_every_field_that_we_send_is_one_that_gocd_answers_with() -> None:
    known = {
        "package repository": sample("repositories")["_embedded"]["package_repositories"][0],
        "package": sample("package"),
        "config repo": sample("config_repo"),
    }
    for definition in WANTED:
        found = known[definition.kind]
        assert set(definition.body) <= set(found)
        assert [type(found[key]) for key in definition.body] == [type(value) for value in definition.body.values()]
    rule, git = known["config repo"]["rules"][0], known["config repo"]["material"]["attributes"]
    assert set(WANTED[2].body["rules"][0]) == set(rule)
    assert set(WANTED[2].body["material"]["attributes"]) <= set(git)


def test_the_pattern_names_our_pipelines_and_the_rule_their_group() -> None:
    import yaml

    content = yaml.safe_load((ROOT / definitions.PIPELINES).read_text())
    assert {pipeline["group"] for pipeline in content["pipelines"].values()} == {definitions.GROUP}


def as_gocd_has_it(definition: Definition) -> dict[str, Any]:
    """With what GoCD adds by itself."""
    found = deepcopy(definition.body) | {"_links": {"self": {"href": "…"}}}
    if definition.kind == "config repo":
        found["material"]["attributes"]["name"] = None
    return found


def server_with(*found: dict[str, Any]) -> Replay:
    replay = Replay()
    listings = {"repositories": "package_repositories", "packages": "packages", "config_repos": "config_repos"}
    for path, name in listings.items():
        mine = [it for it, known in zip(found, WANTED, strict=False) if known.path.endswith(path)]
        replay.on("GET", f"/api/admin/{path}", {"_embedded": {name: mine}})
    return replay


def test_what_is_there_is_left_as_it_is() -> None:
    replay = server_with(*map(as_gocd_has_it, WANTED))
    assert [step.outcome for step in run_set_up(replay, update=True)] == ["unchanged"] * 3
    assert replay.changes() == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(replay: Replay) -> None:
    assert [step.outcome for step in run_set_up(replay, dry_run=True)] == ["would create"] * 3
    assert replay.changes() == []


def changed(definition: Definition, **more: Any) -> dict[str, Any]:
    return as_gocd_has_it(definition) | more


ANOTHER_MLFLOW = [
    {"key": "MLFLOW_URL", "value": "http://old:5000"},
    {"key": "MLFLOW_TOKEN", "encrypted_value": "AES:x:y"},
]


def test_what_differs_is_told_and_left_alone() -> None:
    replay = server_with(changed(WANTED[0], configuration=ANOTHER_MLFLOW))
    (step,) = run_set_up(replay, WANTED[0])
    assert step.outcome == "differs"
    assert step.differences == (
        "configuration.MLFLOW_URL: expected 'http://mlflow:5000', found 'http://old:5000'",
        "configuration.MLFLOW_UI_URL: expected 'http://localhost:5000', found None",
    )
    assert replay.changes() == []


def test_a_key_that_an_operator_has_added_is_no_difference() -> None:
    ours = WANTED[0].body["configuration"]
    replay = server_with(changed(WANTED[0], configuration=[*ours, ANOTHER_MLFLOW[1]]))
    assert [step.outcome for step in run_set_up(replay, WANTED[0])] == ["unchanged"]


def test_update_changes_ours_if_nobody_else_just_did_and_keeps_the_operators_keys() -> None:
    replay = server_with(changed(WANTED[0], configuration=ANOTHER_MLFLOW))
    replay.on("GET", "/api/admin/repositories/mlflow", {}, ETag='"abc"')
    replay.on("PUT", "/api/admin/repositories/mlflow", {})
    assert [step.outcome for step in run_set_up(replay, WANTED[0], update=True, dry_run=True)] == ["would update"]
    assert replay.changes() == []
    assert [step.outcome for step in run_set_up(replay, WANTED[0], update=True)] == ["updated"]
    (put,) = replay.changes()
    assert (put.method, put.headers["if-match"]) == ("PUT", '"abc"')
    assert put.body["configuration"] == [*WANTED[0].body["configuration"], ANOTHER_MLFLOW[1]]


@pytest.mark.parametrize(
    ("position", "theirs"),
    [
        (0, {"plugin_metadata": {"id": "npm", "version": "1"}}),
        (1, {"package_repo": {"id": "npm"}}),
        (2, {"plugin_id": "json.config.plugin"}),
    ],
)
def test_what_has_our_name_but_is_not_ours_is_never_changed(position: int, theirs: dict[str, Any]) -> None:
    found = [as_gocd_has_it(definition) for definition in WANTED]
    found[position] |= theirs
    replay = server_with(*found)
    (step,) = [step for step in run_set_up(replay, update=True) if step.outcome != "unchanged"]
    assert (step.id, step.outcome) == (WANTED[position].id, "differs")
    assert replay.changes() == []


BY_ALIAS = [{"key": "REGISTERED_MODEL", "value": "alias-price"}, {"key": "ALIAS", "value": "production"}]


def test_a_package_that_promotes_by_alias_is_left_as_it_is() -> None:
    replay = server_with(as_gocd_has_it(WANTED[0]), changed(WANTED[1], configuration=BY_ALIAS))
    assert [step.outcome for step in run_set_up(replay, *WANTED[:2], update=True)] == ["unchanged"] * 2
    assert replay.changes() == []


def test_an_update_of_a_package_that_promotes_by_alias_keeps_how_it_promotes() -> None:
    replay = server_with(as_gocd_has_it(WANTED[0]), changed(WANTED[1], configuration=BY_ALIAS, auto_update=False))
    replay.on("GET", "/api/admin/packages/diamond-price", {}, ETag='"abc"')
    replay.on("PUT", "/api/admin/packages/diamond-price", {})
    assert [step.outcome for step in run_set_up(replay, *WANTED[:2], update=True)] == ["unchanged", "updated"]
    (put,) = replay.changes()
    assert (put.body["configuration"], put.body["auto_update"]) == (BY_ALIAS, True)


FOLLOWED = definitions.package("diamond-price", followed=True)


def test_where_somebody_follows_a_package_is_created_so_that_gocd_does_not_poll_it(replay: Replay) -> None:
    run_set_up(replay, WANTED[0], FOLLOWED)
    assert [it.body["auto_update"] for it in replay.changes() if it.path == "/api/admin/packages"] == [False]


@pytest.mark.parametrize("polled", [True, False])
def test_where_somebody_follows_whether_a_package_is_polled_is_theirs(polled: bool) -> None:
    replay = server_with(as_gocd_has_it(WANTED[0]), changed(WANTED[1], auto_update=polled))
    assert [step.outcome for step in run_set_up(replay, WANTED[0], FOLLOWED, update=True)] == ["unchanged"] * 2
    assert replay.changes() == []


def test_an_update_of_a_package_that_is_followed_keeps_whether_it_is_polled() -> None:
    other = [{"key": "EXPERIMENT", "value": "gems"}, {"key": "TAG", "value": "promote"}]
    for polled in (True, False):
        replay = server_with(as_gocd_has_it(WANTED[0]), changed(WANTED[1], configuration=other, auto_update=polled))
        replay.on("GET", "/api/admin/packages/diamond-price", {}, ETag='"abc"')
        replay.on("PUT", "/api/admin/packages/diamond-price", {})
        run_set_up(replay, WANTED[0], FOLLOWED, update=True)
        (put,) = replay.changes()
        assert (put.body["auto_update"], put.body["configuration"]) == (polled, FOLLOWED.body["configuration"])


def test_where_nobody_follows_a_package_that_gocd_does_not_poll_is_a_difference() -> None:
    replay = server_with(as_gocd_has_it(WANTED[0]), changed(WANTED[1], auto_update=False))
    _, step = run_set_up(replay, *WANTED[:2])
    assert (step.outcome, step.differences) == ("differs", ("auto_update: expected True, found False",))


def test_another_branch_of_the_config_repo_is_read_at_once_also_while_it_is_being_read() -> None:
    git = {"type": "git", "attributes": {"url": GIT, "branch": "old", "auto_update": True}}
    replay = server_with(*map(as_gocd_has_it, WANTED[:2]), changed(WANTED[2], material=git))
    replay.on("GET", "/api/admin/config_repos/trackback", {}, ETag='"abc"')
    replay.on("PUT", "/api/admin/config_repos/trackback", {})
    replay.on("POST", "/api/admin/config_repos/trackback/trigger_update", {"message": "in progress"}, status=409)
    replay.on("POST", "/api/admin/config_repos/trackback/trigger_update", {"message": "OK"}, status=201)
    assert [step.outcome for step in run_set_up(replay, update=True)] == ["unchanged", "unchanged", "updated"]
    asked = [(it.method, it.path.rpartition("/")[2]) for it in replay.changes()]
    assert asked == [("PUT", "trackback"), ("POST", "trigger_update"), ("POST", "trigger_update")]


def test_a_definition_that_gocd_refuses_leaves_the_rest_to_be_done(replay: Replay) -> None:
    replay.on("POST", "/api/admin/packages", {"message": "Validations failed."}, status=422)
    steps = run_set_up(replay, WANTED[0], definitions.package("first"), *WANTED[1:])
    assert [step.outcome for step in steps] == ["created", "created", "refused", "created"]
    with pytest.raises(Refused, match="found 1 of them refused: package 'diamond-price' .*Validations failed"):
        refuse_unfinished(steps)


def test_a_package_of_a_model_that_is_gone_is_named_with_what_to_do_and_others_are_not() -> None:
    replay = Replay()
    previews = [definitions.previews(name).body for name in ("diamond-price", "gem-price")]
    nightly = definitions.package("nightly").body | {"configuration": [{"key": "TAG", "value": "nightly"}]}
    theirs = definitions.package("npm").body | {"package_repo": {"id": "npm"}}
    ours = [definitions.package(name).body for name in ("diamond-price", "gem-price")]
    replay.on("GET", "/api/admin/packages", {"_embedded": {"packages": [*ours, *previews, nightly, theirs]}})
    said: list[str] = []
    with gocd(replay) as client:
        steps = list(left_over(client, ["diamond-price"], said.append))
    assert [(step.id, step.outcome) for step in steps] == [
        ("gem-price", "left over"), ("gem-price-preview", "left over")
    ]  # fmt: skip
    assert said[0] == (
        "left over: package 'gem-price' (no model has its name: where one was removed or renamed, take its pipelines"
        " out of the config repo, then delete the package in GoCD)"
    )
    assert replay.changes() == []


@pytest.mark.parametrize(("refusals", "taken"), [(0, True), (2, True), (3, False)])
def test_gocd_is_asked_again_until_it_takes_the_request_but_not_for_ever(refusals: int, taken: bool) -> None:
    answers, waited = [False] * refusals + [True] * 9, list[float]()
    assert until_taken(lambda: answers.pop(0), pauses=(1, 2), wait=waited.append) is taken
    assert waited == [1, 2][:refusals]


def test_a_refused_creation_names_the_field_in_gocds_words() -> None:
    key = {"key": "MLFLOW_URL", "errors": {"MLFLOW_URL": ["expected http or https\nin the URL"]}}
    body = {"message": "Validations failed.", "data": {"configuration": [key]}}
    refusing = server_with()
    refusing.on("POST", "/api/admin/repositories", body, status=422)
    with pytest.raises(Refused) as refused:
        run_set_up(refusing, WANTED[0])
    assert str(refused.value) == (
        "expected GoCD to accept POST /api/admin/repositories, found 422: Validations failed."
        " expected http or https in the URL"
    )


def plugin_is(body: Any, status: int = 200) -> Replay:
    replay = Replay()
    replay.on("GET", "/api/admin/plugin_info/trackback.mlflow", body, status=status)
    return replay


def test_an_active_plugin_is_enough() -> None:
    replay = plugin_is(sample("plugin_info"))
    refuse_without_plugin(gocd(replay))
    assert replay.asked[0].headers["accept"] == "application/vnd.go.cd.v7+json"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"message": "Either the resource…"}, 404, "found none: copy trackback-mlflow-plugin.jar into"),
        (
            {"status": {"state": "invalid", "messages": ["Incompatible with GoCD\nversion '26.1.0'."]}},
            200,
            "found it invalid: Incompatible with GoCD version '26.1.0'.",
        ),
        ({"status": {"state": "invalid"}}, 200, "found it invalid: it gives no reason"),
        ({"message": "You are not authenticated!"}, 401, "found 401: You are not authenticated! Give a token"),
        (b'{"vendor" : {{"Failed due to', 200, "found something else: is it GoCD?"),
    ],
)
def test_without_an_active_plugin_nothing_is_set_up(body: Any, status: int, says: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_without_plugin(gocd(plugin_is(body, status)))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_server_that_is_starting_is_waited_for() -> None:
    replay = Replay()
    said: list[str] = []
    for _ in range(2):
        replay.on("GET", "/api/v1/health", b"GoCD server is starting", status=503)
    replay.on("GET", "/api/v1/health", sample("health"))
    wait_until_up(gocd(replay), 30, said.append)
    assert len(replay.asked) == 3
    assert said == [f"waiting up to 30 s for GoCD at {URL}"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"GoCD server is starting", 503, "within 0 s, it does not answer"),
        (b"<html>", 200, "found 200 OK at its health check: give its address with the path"),
        (b"<html>", 302, "found 302 Found at its health check"),
        (b'"OK"', 200, "found 200 OK"),
    ],
)
def test_what_is_no_gocd_is_told_at_once(body: bytes, status: int, says: str) -> None:
    replay = Replay()
    replay.on("GET", "/api/v1/health", body, status=status)
    with pytest.raises(Refused) as refused:
        wait_until_up(gocd(replay), 0, lambda _: None)
    assert says in str(refused.value)


def test_an_address_without_go_is_told_at_once() -> None:
    with pytest.raises(Refused, match="give its address with the path, such as http://gocd.example:8153/go"):
        wait_until_up(gocd(Replay()), 600, lambda _: None)


# From here on against the embedded CI server, by the command line.


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[CiWithFakePlugin]:
    (tmp_path / "state").mkdir()
    with running(tmp_path / "state", None, plugin=FakeMlflowPlugin(), passwords=PASSWORDS) as closed:
        yield closed


@pytest.fixture
def arguments(ci: CiWithFakePlugin, tmp_path: Path) -> list[str]:
    models = tmp_path / "models"
    for name in ("a-model", "b-model"):
        (models / name).mkdir(parents=True)
        (models / name / "model.yaml").touch()
    for name, password in PASSWORDS.items():
        (tmp_path / name).write_text(password + "\n")
    arguments = ["set-up", "--url", f"{ci.http.base_url}/go", "--mlflow-url", MLFLOW, "--models", str(models)]
    return [*arguments, "--user", "admin", "--password-file", str(tmp_path / "admin"), "--wait", "5"]


def outcomes(arguments: list[str]) -> dict[str, str]:
    """Of each step, by what it defines."""
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return {f"{step['kind']} {step['id']}": step["outcome"] for step in json.loads(done.stdout)["steps"]}


def refused_by(arguments: list[str]) -> str:
    with pytest.raises(Refused) as refused:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    return str(refused.value)


def test_a_second_run_changes_nothing_and_says_so(ci: CiWithFakePlugin, arguments: list[str]) -> None:
    packages = ("a-model", "b-model", "a-model-preview", "b-model-preview")
    names = ("package repository mlflow", *(f"package {name}" for name in packages))
    assert outcomes([*arguments, "--dry-run"]) == dict.fromkeys(names, "would create")
    assert ci.engine.catalog.repositories() == []
    assert outcomes(arguments) == dict.fromkeys(names, "created")
    assert sorted(package.id for package in ci.engine.catalog.packages()) == sorted(packages)
    assert outcomes(arguments) == dict.fromkeys(names, "unchanged")
    assert outcomes([*arguments, "--mlflow-url", "http://other:5000"])["package repository mlflow"] == "differs"
    assert ci.engine.catalog.repositories()[0].properties[0].value == MLFLOW


def test_a_model_that_was_renamed_is_left_over_on_the_command_line(arguments: list[str], tmp_path: Path) -> None:
    outcomes(arguments)
    (tmp_path / "models" / "b-model").rename(tmp_path / "models" / "c-model")
    found = outcomes(arguments)
    assert (found["package c-model"], found["package b-model"]) == ("created", "left over")


@pytest.mark.process
def test_the_config_repo_brings_the_pipelines(ci: CiWithFakePlugin, arguments: list[str], tmp_path: Path) -> None:
    source = tmp_path / "checkout"
    (source / "services" / "gocd").mkdir(parents=True)
    (source / definitions.PIPELINES).write_bytes((ROOT / definitions.PIPELINES).read_bytes())
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for command in (["init", "--quiet", "--initial-branch=trunk"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *author, *command], cwd=source, check=True, capture_output=True)
    more = ["--config-repo", source.as_uri(), "--config-repo-branch", "trunk"]
    assert outcomes([*arguments, *more])["config repo trackback"] == "created"
    poll_until(lambda: "diamond-price-online" in ci.engine.pipelines.pipelines, "the pipelines", pause=0.02)
    assert outcomes([*arguments, *more])["config repo trackback"] == "unchanged"


def test_the_operators_token_is_made_once_and_only_the_owner_reads_it(
    ci: CiWithFakePlugin, arguments: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "token"
    operator = ["--operator", "operator", "--operator-password-file", str(tmp_path / "operator")]
    wanted = [*arguments, *operator, "--token-out", str(path)]
    assert outcomes([*wanted, "--dry-run"])["access token operator"] == "would create"
    assert not path.exists()
    assert outcomes(wanted)["access token operator"] == "created"
    token = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with GoCD(f"{ci.http.base_url}/go", token.strip()) as gocd:
        assert gocd.user() == "operator"
    assert outcomes(wanted)["access token operator"] == "unchanged"
    assert path.read_text() == token
    assert len(ci.engine.users.tokens("operator")) == 1
    # Somebody else's token does not do.
    assert outcomes([*arguments, "--token-out", str(path)])["access token admin"] == "created"
    path.write_text("no longer known\n")
    assert outcomes(wanted)["access token operator"] == "created"
    assert path.read_text() not in (token, "no longer known\n")


def test_a_token_is_enough_and_a_user_comes_before_a_token_of_the_environment(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    outcomes([*arguments, "--token-out", str(path)])
    bare = arguments[: arguments.index("--user")]
    for name, value in (("TRACKBACK_GOCD_TOKEN", path.read_text().strip()), ("TRACKBACK_GOCD_TOKEN_FILE", str(path))):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert set(outcomes(bare).values()) == {"unchanged"}
    monkeypatch.setenv("TRACKBACK_GOCD_TOKEN_FILE", str(tmp_path / "is-not-there-yet"))
    assert set(outcomes(arguments).values()) == {"unchanged"}
    assert refused_by(bare).startswith(f"{tmp_path}/is-not-there-yet: expected a secret, cannot read it")


def test_each_refusal_is_one_line_that_says_what_to_do(
    ci: CiWithFakePlugin, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("a guess")
    (tmp_path / "empty").write_text("")
    bare = arguments[: arguments.index("--user")]
    lines = {
        "found 401: You are not authenticated! Give a token": bare,
        f"Correct the password of 'admin' in {tmp_path}/wrong.": [
            *(*arguments, "--password-file", str(tmp_path / "wrong"), "--wait", "3600")
        ],
        f"Correct the password of 'operator' in {tmp_path}/wrong.": [
            *(*arguments, "--operator", "operator", "--operator-password-file", str(tmp_path / "wrong")),
            *("--token-out", str(tmp_path / "token")),
        ],
        "found 401: Invalid Personal Access Token.": [*bare, "--token", "nonsense"],
        "found 403: You are not authorized to perform this action. Ask as a user who may": [
            *(*bare, "--user", "operator", "--password-file", str(tmp_path / "operator"))
        ],
        "expected a user together with the file of the password": [*bare, "--user", "admin"],
        "expected a secret, found an empty file": [*arguments, "--password-file", str(tmp_path / "empty")],
        "expected --user and --password-file for --token-out": [*bare, "--token", "x", "--token-out", "x"],
        "expected a URL of GoCD such as": [*arguments, "--url", "gocd:8153/go"],
        "give its address with the path": [*arguments, "--url", str(ci.http.base_url)],
        "within 0 s, it does not answer": [*arguments, "--url", "http://127.0.0.1:9/go", "--wait", "0"],
        "expected a folder for each model": [*arguments, "--models", str(tmp_path / "none")],
        "expected a folder that I may write the token into": [*arguments, "--token-out", str(tmp_path / "no" / "x")],
    }
    for said, wrong in lines.items():
        line = refused_by(wrong)
        assert said in line, line
        assert "\n" not in line


def test_a_server_with_another_plugin_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "other").mkdir()
    with running(tmp_path / "other", None, plugin=FakePlugin()) as ci:
        open_server = arguments[: arguments.index("--user")]
        line = refused_by([*open_server, "--url", f"{ci.http.base_url}/go"])
        assert line.startswith("expected the plugin 'trackback.mlflow' in GoCD at ")
        assert ci.engine.catalog.repositories() == []


@pytest.mark.process
def test_it_stays_and_defines_models_that_are_added_until_it_is_ended(
    ci: CiWithFakePlugin, arguments: list[str], tmp_path: Path
) -> None:
    outcomes([*arguments, "--followed"])
    where = ["--url", f"{ci.http.base_url}/go", "--user", "admin", "--password-file", str(tmp_path / "admin")]
    more = ["--models", str(tmp_path / "models"), "--ready", str(tmp_path / "ready")]
    command = [sys.executable, "-m", "services.delivery", "gocd", "follow", *where, *more]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        poll_until((tmp_path / "ready").exists, "its beginning")
        (tmp_path / "models" / "c-model").mkdir()
        (tmp_path / "models" / "c-model" / "model.yaml").touch()
        poll_until(lambda: ci.engine.catalog.package("c-model"), "the package of the new model")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


@pytest.mark.process
def test_on_the_command_line_a_refusal_is_one_line_and_exit_1(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "services.delivery", "gocd", "set-up"]
    done = subprocess.run(
        [*command, "--url", "http://127.0.0.1:9/go", "--wait", "0"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    helped = subprocess.run([*command, "--help"], env=environment, capture_output=True, text=True, check=False)
    assert "Example: trackback gocd set-up" in " ".join(helped.stdout.split())

"""Who gets in: with passwords nobody without one, in GoCD's words; without passwords everybody, as in GoCD."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.contract.errors import Refused
from services.embedded.api.app import create_app
from services.embedded.records.users import read_passwords
from services.embedded.settings import CiSettings, read_ci_settings
from services.gocd.client import GoCD, Login
from tests.support.embedded_ci import (
    REPOSITORY,
    CiWithFakePlugin,
    new_package,
    pipeline,
    python,
    running,
    serving,
    stage,
)
from tests.support.paths import ROOT

PASSWORDS = {"admin": "of the admin", "operator": "of the operator"}
ADMIN, OPERATOR = (("admin", "of the admin"), ("operator", "of the operator"))
TELLS = python("import os; print('by', os.environ['GO_TRIGGER_USER'])")
STAGES = (stage("one", TELLS), stage("two", TELLS, approval={"type": "manual"}))
PIPELINES = {"churn": pipeline(*STAGES, group="models"), "other": pipeline(*STAGES)}
VERSION_1 = {"Accept": "application/vnd.go.cd.v1+json"}


@pytest.fixture
def ci(tmp_path: Path) -> Iterator[CiWithFakePlugin]:
    with running(tmp_path, PIPELINES, passwords=PASSWORDS) as closed:
        yield closed


def gocd_of(ci: CiWithFakePlugin, **who: object) -> GoCD:
    return GoCD(f"{ci.http.base_url}/go", **who)  # type: ignore[arg-type]


def token_of(ci: CiWithFakePlugin, user: str) -> str:
    with gocd_of(ci, login=Login(user, PASSWORDS[user])) as gocd:
        return gocd.create_token("for a test")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/go",
        "/go/api/current_user",
        "/go/api/pipelines/churn/history",
        "/go/api/admin/packages",
        "/go/api/server_health_messages",
        "/go/files/churn/1/one/1/one.json",
        "/go/pipelines/value_stream_map/churn/1.json",
        "/docs",
        "/nowhere",
    ],
)
def test_nobody_gets_anything_and_learns_nothing_of_what_there_is(ci: CiWithFakePlugin, path: str) -> None:
    answer = ci.http.get(path, headers=VERSION_1)
    assert (answer.status_code, answer.json()) == (401, {"message": "You are not authenticated!"})
    assert answer.headers["www-authenticate"] == 'Basic realm="GoCD"'


def test_health_and_version_are_open(ci: CiWithFakePlugin) -> None:
    assert ci.http.get("/go/api/v1/health").json() == {"health": "OK"}
    assert ci.http.get("/go/api/version", headers=VERSION_1).json()["version"] == "26.1.0"


@pytest.mark.parametrize("login", [("admin", "wrong"), ("admin", ""), ("nobody", "of the admin"), ("", "")])
def test_a_wrong_password_is_told_in_the_words_of_gocd(ci: CiWithFakePlugin, login: tuple[str, str]) -> None:
    answer = ci.http.get("/", auth=login)
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Invalid credentials. Either your username and password are incorrect")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "bearer", "bearer x", "Digest x"])
def test_what_is_no_credential_lets_nobody_in(ci: CiWithFakePlugin, header: str) -> None:
    assert ci.http.get("/go/api/current_user", headers={**VERSION_1, "Authorization": header}).status_code == 401


def test_a_token_opens_what_its_user_may_and_is_stored_as_a_hash_only(ci: CiWithFakePlugin, tmp_path: Path) -> None:
    token = token_of(ci, "admin")
    with gocd_of(ci, token=token) as gocd:
        assert gocd.user() == "admin"
        assert gocd.packages() == []
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("history.db*"))
    assert token.encode() not in stored
    assert b"for a test" in stored


def test_a_token_is_shown_once(ci: CiWithFakePlugin) -> None:
    token = token_of(ci, "admin")
    listed = ci.http.get("/go/api/current_user/access_tokens", headers=VERSION_1, auth=ADMIN)
    assert [it["description"] for it in listed.json()["_embedded"]["access_tokens"]] == ["for a test"]
    assert token not in listed.text


def test_a_token_makes_no_tokens_and_opens_no_pages(ci: CiWithFakePlugin) -> None:
    headers = {**VERSION_1, "Authorization": f"Bearer {token_of(ci, 'admin')}"}
    refused = ci.http.post("/go/api/current_user/access_tokens", headers=headers, json={"description": "more"})
    assert (refused.status_code, "using access token is forbidden" in refused.json()["message"]) == (403, True)
    assert ci.http.get("/", headers=headers).status_code == 401
    assert ci.http.get("/", auth=ADMIN).status_code == 200


def test_a_token_lives_as_long_as_its_user(tmp_path: Path) -> None:
    with running(tmp_path, PIPELINES, passwords=PASSWORDS) as ci:
        token = token_of(ci, "operator")
    with running(tmp_path, PIPELINES, passwords={"admin": "another"}) as ci, gocd_of(ci, token=token) as gocd:
        assert gocd.user() is None
    with running(tmp_path, PIPELINES, passwords=PASSWORDS) as ci, gocd_of(ci, token=token) as gocd:
        assert gocd.user() == "operator"


@pytest.mark.process
def test_an_operator_runs_pipelines_and_configures_nothing(ci: CiWithFakePlugin) -> None:
    confirmed = {**VERSION_1, "X-GoCD-Confirm": "true"}
    for path, body in (("repositories", REPOSITORY), ("packages", new_package("churn"))):
        version = {"Accept": f"application/vnd.go.cd.v{2 if path == 'packages' else 1}+json"}
        refused = ci.http.post(f"/go/api/admin/{path}", headers=version, json=body, auth=OPERATOR)
        message = "You are not authorized to perform this action."
        assert (refused.status_code, refused.json()) == (403, {"message": message})
        created = ci.http.post(f"/go/api/admin/{path}", headers=version, json=body, auth=ADMIN)
        assert created.status_code == 200
    ci.promote("r1")
    ci.http.auth = httpx.BasicAuth(*OPERATOR)
    ci.finished("churn/1/one/1")
    assert ci.http.post("/go/api/pipelines/churn/schedule", headers=confirmed).status_code == 202
    ci.finished("churn/2/one/1")


@pytest.mark.process
def test_jobs_are_told_who_let_them_run(ci: CiWithFakePlugin) -> None:
    ci.http.auth = httpx.BasicAuth(*ADMIN)
    ci.define()
    ci.promote("r1")
    assert ci.finished("churn/1/one/1")["approved_by"] == "changes"
    ci.http.auth = httpx.BasicAuth(*OPERATOR)
    assert ci.post("stages/churn/1/two/run", 2).status_code == 202
    assert ci.finished("churn/1/two/1")["approved_by"] == "operator"
    assert "by operator" in ci.console("churn/1/two/1/two")
    assert ci.post("pipelines/churn/schedule", 1).status_code == 202
    ci.finished("churn/2/one/1")
    assert ci.history("churn")[0]["build_cause"]["trigger_message"] == "Forced by operator"


@pytest.mark.process
def test_an_operator_sees_and_runs_the_group_of_models_and_no_other(ci: CiWithFakePlugin) -> None:
    ci.http.auth = httpx.BasicAuth(*ADMIN)
    ci.define()
    ci.promote("r1")
    ci.finished("other/1/one/1")
    ci.http.auth = httpx.BasicAuth(*OPERATOR)
    refusals = [
        ci.get("pipelines/other/history"),
        ci.get("pipelines/other/1"),
        ci.get("stages/other/1/one/1", 3),
        ci.post("pipelines/other/schedule"),
        ci.post("stages/other/1/one/run", 2),
        ci.http.get("/go/files/other/1/one/1/one.json"),
    ]
    assert {it.status_code for it in refusals} == {403}


@pytest.mark.parametrize(("who", "said"), [("Basic YWRtaW46eA==", "Basic authentication"), ("bearer x", "Bearer")])
def test_an_open_server_wants_no_credentials_as_gocd_does(tmp_path: Path, who: str, said: str) -> None:
    with running(tmp_path, PIPELINES) as ci:
        answer = ci.http.get("/go/api/version", headers={**VERSION_1, "Authorization": who})
        assert answer.status_code == 401
        assert answer.json()["message"].startswith(said)
        assert "www-authenticate" not in answer.headers
        assert ci.http.get("/").status_code == 200


def test_it_answers_under_its_public_name_and_no_other(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "password").write_text("x")
    found = settings(variables, HOST="0.0.0.0", NAME="gocd-server", PASSWORD_FILE=str(tmp_path / "password"))
    assert found.server_url == "http://gocd-server:8153/go"
    with running(tmp_path, PIPELINES) as ci, serving(create_app(ci.engine, found.names)) as url:
        for name, status in (
            ("gocd-server", 200),
            ("gocd-server:8153", 200),
            ("localhost", 200),
            ("evil.example", 400),
        ):
            assert httpx.get(f"{url}/go/api/v1/health", headers={"Host": name}).status_code == status


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    names = ("STATE", "PLUGIN_JAR", "HOST_JAR")
    return {f"TRACKBACK_CI_{name}": str(tmp_path / name.lower()) for name in names}


def settings(variables: dict[str, str], **more: str) -> CiSettings:
    told = variables | {f"TRACKBACK_CI_{name}": value for name, value in more.items()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        return read_ci_settings()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"HOST": "0.0.0.0"}, "TRACKBACK_CI_PASSWORD_FILE: expected one, because others can reach 0.0.0.0"),
        ({"HOST": "192.0.2.7"}, "TRACKBACK_CI_PASSWORD_FILE: expected one, because others can reach 192.0.2.7"),
        ({"HOST": "0.0.0.0", "PASSWORD_FILE": "/x"}, "TRACKBACK_CI_NAME: expected the name"),
        ({"OPERATOR_PASSWORD_FILE": "/x"}, "TRACKBACK_CI_PASSWORD_FILE: expected the administrator's password"),
    ],
)
def test_an_open_server_is_not_started_where_others_reach_it(
    variables: dict[str, str], told: dict[str, str], said: str
) -> None:
    with pytest.raises(Refused, match=f"^{said}"):
        settings(variables, **told)


def test_on_this_machine_only_it_may_be_open(variables: dict[str, str]) -> None:
    assert settings(variables).server_url == "http://127.0.0.1:8153/go"
    assert settings(variables, HOST="localhost").names == ("localhost", "127.0.0.1", "[::1]")


def test_a_password_file_without_a_password_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(Refused, match="empty: expected a password, found an empty file$"):
        read_passwords({"admin": tmp_path / "empty"})
    with pytest.raises(Refused, match="missing: expected a password, cannot read it"):
        read_passwords({"admin": tmp_path / "missing"})
    (tmp_path / "good").write_text(" s3cret\n")
    assert read_passwords({"admin": tmp_path / "good", "operator": None}) == {"admin": "s3cret"}


@pytest.mark.process
def test_a_server_without_its_password_file_ends_with_one_line(variables: dict[str, str], tmp_path: Path) -> None:
    told = variables | {"TRACKBACK_CI_PASSWORD_FILE": str(tmp_path / "none")}
    command = [sys.executable, "-m", "services.embedded.server"]
    done = subprocess.run(command, env=told, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"{tmp_path}/none: expected a password")

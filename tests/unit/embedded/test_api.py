"""GoCD's rules for requests, what it answers to wrong ones, and what people see."""

import signal
import socket
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from services.embedded.api.page import render_page, web_url
from services.embedded.polling.expected_failures import EXPLANATIONS
from tests.support.embedded_ci import REPOSITORY, new_package, pipeline, python, running, stage
from tests.support.embedded_fakes import RefusingPlugin, revision
from tests.support.paths import ROOT
from tests.support.poll import poll_until
from tests.support.ports import free_port

ONE = {"churn": pipeline(stage("one"))}


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/vnd.go.cd.v2+json", "", "text/html, */*"])
def test_another_version_than_the_one_there_is_is_not_found(tmp_path: Path, accept: str) -> None:
    with running(tmp_path, ONE) as ci:
        assert ci.http.get("/go/api/version", headers={"Accept": accept}).status_code == 404
        latest = ci.http.get("/go/api/version", headers={"Accept": "application/vnd.go.cd+json"})
        assert latest.json()["version"] == "26.1.0"


@pytest.mark.parametrize(
    ("accept", "status"), [("*/*", 200), ("text/html, */*", 200), ("application/json", 404), ("", 404)]
)
def test_the_health_check_takes_anything_but_another_type(tmp_path: Path, accept: str, status: int) -> None:
    with running(tmp_path, ONE) as ci:
        assert ci.http.get("/go/api/v1/health", headers={"Accept": accept}).status_code == status


def test_a_request_without_body_must_be_confirmed(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        headers = {"Accept": "application/vnd.go.cd.v1+json"}
        refused = ci.http.post("/go/api/pipelines/churn/schedule", headers=headers)
        message = "Missing required header 'X-GoCD-Confirm' with value 'true'"
        assert (refused.status_code, refused.json()) == (400, {"message": message})


def test_a_site_of_another_name_is_not_answered(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        assert ci.http.get("/go/api/v1/health", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.process
@pytest.mark.parametrize(
    ("path", "version", "status", "message"),
    [
        ("pipelines/nosuch/history", 1, 404, "Pipeline with name 'nosuch' was not found!"),
        ("pipelines/churn/history?page_size=9", 1, 400, "must be a number between 10 and 100."),
        ("pipelines/churn/history?page_size=101", 1, 400, "must be a number between 10 and 100."),
        ("pipelines/nosuch/1", 1, 404, "Pipeline with name 'nosuch' was not found!"),
        ("pipelines/churn/99999999999999999999", 1, 422, "The pipeline counter should be an integer."),
        ("pipelines/churn/history?after=x", 1, 400, "'after', if specified, must be a positive integer."),
        ("stages/churn/99999999999999999999/one/1", 3, 422, 'For input string: "99999999999999999999"'),
        ("stages/churn/1/one/99999999999999999999", 3, 422, 'For input string: "99999999999999999999"'),
        ("pipelines/churn/7", 1, 404, "Pipeline [churn/7] not found."),
        ("stages/churn/7/one/1", 3, 404, "Pipeline 'churn' with counter '7' not found"),
        ("admin/packages/nosuch", 2, 404, "Package definition with id 'nosuch' was not found!"),
        ("admin/repositories/nosuch", 1, 404, "Package repository with id 'nosuch' was not found!"),
        ("admin/plugin_info/nosuch", 7, 404, "Either the resource you requested was not found"),
    ],
)
def test_what_is_not_there_is_told_in_words(tmp_path: Path, path: str, version: int, status: int, message: str) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        refused = ci.get(path, version)
        assert refused.status_code == status
        assert message in refused.json()["message"]


def test_an_option_of_schedule_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        assert ci.post("pipelines/churn/schedule", 1, {"environment_variables": []}).status_code == 422


@pytest.mark.process
def test_history_is_paged_by_cursors(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        for number in range(1, 13):
            ci.promote(f"r{number}")
            ci.finished(f"churn/{number}/one/1")
        first = ci.get("pipelines/churn/history?page_size=10").json()
        assert [it["counter"] for it in first["pipelines"]] == list(range(12, 2, -1))
        assert list(first["_links"]) == ["next"]
        second = ci.get(first["_links"]["next"]["href"].partition("/go/api/")[2]).json()
        assert [it["counter"] for it in second["pipelines"]] == [2, 1]
        back = ci.get(second["_links"]["previous"]["href"].partition("/go/api/")[2]).json()
        assert [it["counter"] for it in back["pipelines"]] == list(range(12, 2, -1))


def test_what_the_plugin_does_not_accept_is_not_created(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.plugin.problems = [{"key": "STUB_URL", "message": "stub says bad url"}]
        refused = ci.post("admin/repositories", 1, REPOSITORY)
        assert refused.status_code == 422
        assert refused.json()["data"]["configuration"][0]["errors"] == {"STUB_URL": ["stub says bad url"]}
        assert ci.engine.catalog.repositories() == []


def test_what_exists_is_not_created_again(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        again = ci.post("admin/repositories", 1, REPOSITORY)
        assert (again.status_code, list(again.json()["data"]["errors"])) == (422, ["name"])
        renamed = ci.post("admin/repositories", 1, REPOSITORY | {"name": "another"})
        assert (renamed.status_code, list(renamed.json()["data"]["errors"])) == (422, ["repo_id"])
        again = ci.post("admin/packages", 2, new_package("churn"))
        assert "found duplicate packages" in again.json()["data"]["errors"]["id"][0]
        same = ci.post("admin/packages", 2, new_package("churn") | {"id": "other", "name": "other"})
        assert "found duplicate packages" in same.json()["data"]["errors"]["id"][0]


@pytest.mark.parametrize(
    ("path", "version", "body", "what"),
    [
        ("repositories/stub-repo", 1, REPOSITORY | {"repo_id": "other"}, "repository"),
        ("packages/churn", 2, new_package("churn") | {"id": "other"}, "package"),
    ],
)
def test_an_id_cannot_be_changed(tmp_path: Path, path: str, version: int, body: dict[str, Any], what: str) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        url, headers = f"/go/api/admin/{path}", {"Accept": f"application/vnd.go.cd.v{version}+json"}
        tag = ci.http.get(url, headers=headers).headers["ETag"]
        refused = ci.http.put(url, headers=headers | {"If-Match": tag}, json=body)
        message = f"Changing the {what} id is not supported by this API."
        assert (refused.status_code, refused.json()["message"]) == (422, message)
        assert ci.http.get(url, headers=headers).headers["ETag"] == tag


def test_a_secret_is_never_given_back(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        assert "s3cret" not in ci.get("admin/repositories").text
        assert "s3cret" not in ci.get("admin/packages", 2).text
        assert ci.get("admin/repositories/stub-repo").json()["configuration"][1] == {
            "key": "TOKEN",
            "encrypted_value": "********",
        }
        assert ((tmp_path / "history.db").stat().st_mode & 0o077) == 0


def test_an_unknown_repository_is_refused_and_an_unknown_key_is_kept(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        assert ci.post("admin/packages", 2, new_package("churn")).status_code == 422
        more = REPOSITORY | {"configuration": [*REPOSITORY["configuration"], {"key": "NOPE", "value": "x"}]}
        made = ci.post("admin/repositories", 1, more)
        assert (made.status_code, made.json()["configuration"][-1]) == (200, {"key": "NOPE", "value": "x"})


@pytest.mark.process
@pytest.mark.parametrize("path", ["one.json%00.txt", "%00", "one/a%00b", "a" * 300, "a/" * 3000])
def test_a_file_whose_name_no_file_can_have_is_missing(tmp_path: Path, path: str) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert ci.http.get(f"/go/files/churn/1/one/1/one/{path}").status_code == 404


def test_the_value_stream_of_a_counter_beyond_every_instance_is_missing(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        answer = ci.http.get("/go/pipelines/value_stream_map/churn/99999999999999999999.json")
        assert answer.status_code == 404


def test_a_cursor_beyond_every_instance_is_no_error(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        for cursor in ("after", "before"):
            answer = ci.get(f"pipelines/churn/history?{cursor}=99999999999999999999")
            assert (answer.status_code, answer.json()) == (200, {"pipelines": []})


@pytest.mark.process
def test_the_value_stream_goes_from_the_package_to_the_last_pipeline(tmp_path: Path) -> None:
    online = pipeline(stage("deploy"), materials={"release": {"pipeline": "churn", "stage": "one"}})
    with running(tmp_path, ONE | {"online": online}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("online/1/deploy/1")
        for name in ("churn", "online"):
            found = ci.http.get(f"/go/pipelines/value_stream_map/{name}/1.json").json()
            assert found["current_pipeline"] == name
            nodes = [node for level in found["levels"] for node in level["nodes"]]
            assert [node["node_type"] for node in nodes] == ["PACKAGE", "PIPELINE", "PIPELINE"]
            package, build, last = nodes
            assert package["material_revisions"][0]["modifications"][0]["revision"] == "r1"
            assert (package["dependents"], build["parents"]) == (["churn"], [package["id"]])
            assert (build["dependents"], last["parents"]) == (["online"], ["churn"])
            assert last["instances"][0]["stages"][0]["status"] == "Passed"


@pytest.mark.process
def test_a_link_to_a_value_stream_leads_to_its_place_on_the_page(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        answer = ci.http.get("/go/pipelines/value_stream_map/churn/1", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/#churn-1")
        assert '<div id="churn-1">' in ci.http.get("/").text


@pytest.mark.process
def test_the_page_shows_each_promotion_with_its_stages_reports_and_problems(tmp_path: Path) -> None:
    writes = python("open('report.html', 'w').write('fine')")
    job = {"artifacts": [{"build": {"source": "report.html"}}], "tabs": {"card": "report.html"}}
    with running(tmp_path, {"churn": pipeline(stage("one", writes, job=job), label_template="${model}")}) as ci:
        assert "Failed to find package repository" in ci.http.get("/").text
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        page = ci.http.get("/go")
        assert "script" not in page.headers["content-security-policy"]
        for wanted in (
            '<a href="http://localhost:5000/#/runs/1" rel="noreferrer">r1</a>',
            '<span class="Passed">one passed</span>',
            '<a href="/go/files/churn/1/one/1/one/report.html">card</a>',
            '<a href="/go/files/churn/1/one/1/one/cruise-output/console.log">console</a>',
            "Where this server differs from GoCD",
        ):
            assert wanted in page.text


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("nothing promoted in experiment churn yet: tag a run with 'promote'", "Nothing was promoted yet: give a"),
        ("expected an experiment named 'churn' in MLflow, found none: create it", "Nobody trained this model yet:"),
    ],
)
def test_a_first_look_at_a_model_that_nobody_promoted_is_calm(tmp_path: Path, sentence: str, words: str) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"))}, plugin=RefusingPlugin(sentence)) as ci:
        ci.define()
        ci.engine.materials.pollers()[0].poll_and_wait()
        # GoCD has no calmer answer, so its API says what GoCD's would.
        assert [it["level"] for it in ci.get("server_health_messages").json()] == ["ERROR"]
        page = ci.http.get("/").text
        assert words in page
        assert 'class="problem"' not in page


def test_what_the_page_takes_for_a_first_look_are_sentences_of_our_plugin() -> None:
    sentences = (ROOT / "plugin" / "README.md").read_text()
    assert all(f'"{sentence}' in sentences for sentence in EXPLANATIONS)


def test_a_poll_that_fails_for_another_reason_is_a_problem_on_the_page(tmp_path: Path) -> None:
    sentence = "asked MLflow at http://mlflow:5000 for the experiment nothing promoted in, it cannot be reached"
    with running(tmp_path, {"churn": pipeline(stage("one"))}, plugin=RefusingPlugin(sentence)) as ci:
        ci.define()
        ci.engine.materials.pollers()[0].poll_and_wait()
        page = ci.http.get("/").text
        assert 'class="problem"' in page
        assert sentence in page


@pytest.mark.process
@pytest.mark.parametrize(
    ("promotion", "words"),
    [
        ("3 2026-11-23T08:02:00Z ada", "promoted by ada, 2026-11-23 08:02 UTC"),
        ("yes", "promoted by hand in MLflow, seen 20"),
        (None, "alice, 2026-11-22 06:00 UTC"),
    ],
)
def test_a_row_says_when_it_was_promoted_and_by_whom(tmp_path: Path, promotion: str | None, words: str) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"), label_template="${model}")}) as ci:
        ci.define()
        ci.promote("r1", **({"PROMOTION": promotion} if promotion else {}))
        ci.finished("churn/1/one/1")
        page = ci.http.get("/").text
        assert words in page
        assert ("alice" in page) is (promotion is None)


@pytest.mark.process
@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>\"'", "</title>&amp;"])
def test_nothing_that_comes_from_outside_becomes_markup_on_the_page(tmp_path: Path, hostile: str) -> None:
    with running(tmp_path, {"churn": pipeline(stage("one"), label_template="${model}")}) as ci:
        ci.define()
        ci.plugin.offers["churn"] = revision(hostile) | {
            "user": hostile,
            "revisionComment": hostile,
            "trackbackUrl": "javascript:alert(1)",
        }
        ci.engine.materials.pollers()[0].poll_and_wait()
        ci.finished("churn/1/one/1")
        ci.engine.health.error("x", hostile, hostile)
        page = render_page(ci.engine)
        assert hostile not in page
        assert "javascript:" not in page
        # Revision, comment and user of the run, its label, and both texts of the message.
        assert unescape(page).count(hostile) == 6


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", "file:///etc/passwd", None, 7])
def test_only_web_addresses_become_links(url: object) -> None:
    assert web_url(url) is None


@pytest.mark.process
def test_a_web_address_cannot_leave_its_attribute(tmp_path: Path) -> None:
    url = 'https://x/"onclick="y'
    with running(tmp_path, {"churn": pipeline(stage("one"))}) as ci:
        ci.define()
        ci.plugin.offers["churn"] = revision("r1") | {"trackbackUrl": url}
        ci.engine.materials.pollers()[0].poll_and_wait()
        ci.finished("churn/1/one/1")
        page = render_page(ci.engine)
        assert url not in page
        assert '<a href="https://x/&#34;onclick=&#34;y" rel="noreferrer">r1</a>' in page


@pytest.mark.process
def test_a_report_whose_name_is_markup_is_a_link_and_no_markup(tmp_path: Path) -> None:
    hostile = "<script>.html"
    writes = python(f"open({hostile!r}, 'w').write('fine')")
    job = {"artifacts": [{"build": {"source": hostile}}], "tabs": {"card": hostile}}
    with running(tmp_path, {"churn": pipeline(stage("one", writes, job=job))}) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        page = ci.http.get("/").text
        assert '<a href="/go/files/churn/1/one/1/one/%3Cscript%3E.html">card</a>' in page
        assert "<script>" not in page


def start_server(state: Path, port: int, **more: str) -> subprocess.Popen[str]:
    """The real program; nothing is promoted, so it never needs the plugin that the jars would be."""
    (state / "any.jar").touch()
    variables = {
        "TRACKBACK_CI_STATE": str(state / "ci"),
        "TRACKBACK_CI_PIPELINES": str(ROOT / "services" / "gocd" / "pipelines.gocd.yaml"),
        "TRACKBACK_CI_PLUGIN_JAR": str(state / "any.jar"),
        "TRACKBACK_CI_HOST_JAR": str(state / "any.jar"),
        "TRACKBACK_CI_JAVA": sys.executable,
        "TRACKBACK_CI_PORT": str(port),
    }
    command = [sys.executable, "-m", "services.embedded.server"]
    return subprocess.Popen(command, env=variables | more, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.process
def test_the_server_ends_soon_when_it_is_asked_to_and_keeps_others_from_its_state(tmp_path: Path) -> None:
    port = free_port()
    with start_server(tmp_path, port) as server:
        poll_until(lambda: answers(port), "the server")
        with start_server(tmp_path, free_port()) as second:
            assert f"found the one of process {server.pid}" in second.communicate(timeout=60)[1]
            assert second.returncode == 1
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
        assert server.returncode == 0


@pytest.mark.process
def test_a_taken_port_is_one_line_and_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, start_server(tmp_path, taken.getsockname()[1]) as server:
        said = server.communicate(timeout=60)[1]
        assert server.returncode == 1
        assert said.count("\n") == 1
        assert "TRACKBACK_CI_PORT" in said


@pytest.mark.process
def test_a_missing_setting_is_one_line_with_its_name(tmp_path: Path) -> None:
    with start_server(tmp_path, 1, TRACKBACK_CI_PORT="many") as server:
        said = server.communicate(timeout=60)[1]
        assert (server.returncode, said.count("\n")) == (1, 1)
        assert said.startswith("TRACKBACK_CI_PORT: ")

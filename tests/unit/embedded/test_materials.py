"""How materials are polled: what counts as new, what is said of a failure, and who is blocked by it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from services.embedded.polling.backoff import Backoff, PollIntervals
from services.embedded.polling.package_poller import PackagePoller
from services.embedded.records.catalog import dependency_fingerprint
from tests.support.embedded_ci import FAST, CiWithFakePlugin, new_package, pipeline, running, stage
from tests.support.embedded_fakes import FakeClock, revision
from tests.support.poll import poll_until

ONE = {"churn": pipeline(stage("one"))}
# sha256 of "plugin-id=stub.package<|>PKG=churn<|>STUB_URL=http://stub.local:5000", by sha256sum.
FINGERPRINT = "3096de0c17acc48ee1f861f5a7121562b5eff51638ad424d18e462d488839712"
# As a GoCD 26.1.0 computed it for deploy-churn/release.
DEPENDENCY = "1fd61ace1315795322d45a145a61107e413af2d55a98943866fdfb4a83151d60"


def messages(ci: CiWithFakePlugin) -> list[dict[str, Any]]:
    return list(ci.get("server_health_messages").json())


def poller_of(ci: CiWithFakePlugin, package: str = "churn") -> PackagePoller:
    return next(it for it in ci.engine.materials.pollers() if it.package.id == package)


def test_fingerprints_are_those_of_gocd(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        assert ci.engine.catalog.packages()[0].fingerprint == FINGERPRINT
        assert dependency_fingerprint("deploy-churn", "release") == DEPENDENCY


@pytest.mark.process
def test_a_package_that_is_not_defined_is_a_health_message_until_it_is(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        assert messages(ci)[0]["detail"] == "Failed to find package repository with package id 'churn'"
        ci.define()
        ci.promote("r1")
        assert messages(ci) == []


@pytest.mark.process
def test_a_failed_poll_is_told_in_the_words_of_gocd_and_forgotten_after_success(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        poller_of(ci).poll_and_wait()
        found = messages(ci)[0]
        assert found["message"] == (
            "Modification check failed for material: Repository: [stub_url=http://stub.local:5000]"
            " - Package: [pkg=churn]\nAffected pipelines are churn."
        )
        assert found["detail"] == (
            "The plugin sent a response that could not be understood by Go. Plugin returned with code '500'"
            " and the following response: 'stub: nothing promoted yet for churn'"
        )
        ci.promote("r1")
        assert messages(ci) == []


@pytest.mark.parametrize(
    ("offer", "detail"),
    [
        ("{}", "Empty response body"),
        ("", "Empty response body"),
        (revision("r1") | {"revision": 7}, "Package revision should be of type string"),
        (revision("r1") | {"timestamp": "2026-11-22 06:00"}, "Package revision timestamp should be of type string"),
        (revision("r1") | {"data": {"B-C": "1"}}, "Key 'B-C' is invalid"),
        (revision("r1") | {"data": {"B": {}}}, "data should be a map of strings"),
    ],
)
def test_an_answer_that_is_no_revision_is_a_failed_poll(tmp_path: Path, offer: object, detail: str) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.plugin.offers["churn"] = offer
        poller_of(ci).poll_and_wait()
        assert detail in messages(ci)[0]["detail"]
        assert ci.history("churn") == []


@pytest.mark.process
def test_a_revision_that_was_ever_seen_triggers_nothing(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        for name in ("r1", "r2", "r1", "r2"):
            ci.promote(name)
        ci.finished("churn/2/one/1")
        assert len(ci.history("churn")) == 2
        assert messages(ci) == []


@pytest.mark.process
@pytest.mark.parametrize("nothing", ["{}", "null", ""])
def test_an_empty_answer_after_the_first_is_no_change(tmp_path: Path, nothing: str) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.promote("r1")
        ci.plugin.offers["churn"] = nothing
        poller_of(ci).poll_and_wait()
        assert messages(ci) == []
        assert len(ci.history("churn")) == 1


@pytest.mark.process
def test_the_plugin_gets_its_previous_revision_back_with_its_data(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        ci.promote("r1", SEEN="a b")
        ci.promote("r2")
        name, body = ci.plugin.polls[-1]
        assert name == "latest-revision-since"
        assert body["previous-revision"] == {
            "revision": "r1",
            "timestamp": "2026-11-22T06:00:00.000Z",
            "data": {"SEEN": "a b"},
        }
        assert body["repository-configuration"]["TOKEN"] == {"value": "s3cret+tok/en"}
        assert ci.plugin.polls[0][0] == "latest-revision"


@pytest.mark.process
def test_a_material_is_polled_again_and_again(tmp_path: Path) -> None:
    with running(tmp_path, ONE, FAST) as ci:
        ci.define()
        ci.plugin.offers["churn"] = revision("r1")
        ci.finished("churn/1/one/1")
        ci.plugin.offers["churn"] = revision("r2")
        ci.finished("churn/2/one/1")


GOCD = PollIntervals(poll=60, backoff=300, backoff_max=3600)


def rests(backoff: Backoff, *failures: float) -> list[float]:
    """After failures at these moments."""
    return [backoff.rest(succeeded=False, now=moment) for moment in failures]


def test_failures_that_nobody_forces_are_answered_with_longer_and_longer_rests() -> None:
    # As a GoCD 26.1.0 did: failures at 03:24:54, 03:29:55, 03:37:28 and 03:48:48.
    assert rests(Backoff(GOCD), 0, 301, 754, 1434) == [300, 451.5, 679.5, 1020]


def test_a_forced_poll_that_fails_makes_the_rest_half_as_much_again_as_the_time_since_the_failure_before() -> None:
    # As a GoCD 26.1.0 did: failures at 04:34:03, 39:05, forced at 43:25 and 44:55, by itself at 47:11 and 50:35.
    assert rests(Backoff(GOCD), 0, 302, 562, 652, 788, 992) == [300, 453, 390, 135, 204, 306]


def test_no_rest_is_longer_than_the_longest_or_shorter_than_that_between_two_good_polls() -> None:
    assert rests(Backoff(GOCD), 0, 3000, 3001) == [300, 3600, 60]


def test_a_success_forgets_every_failure() -> None:
    backoff = Backoff(GOCD)
    rests(backoff, 0, 300)
    assert backoff.rest(succeeded=True, now=310) == 60
    assert rests(backoff, 400) == [300]


def test_a_poller_in_back_off_rests_as_long_as_the_clock_says(tmp_path: Path) -> None:
    clock = FakeClock()
    with running(tmp_path, ONE, PollIntervals(poll=0, backoff=0.05, backoff_max=0.05), clock) as ci:
        ci.define()
        poll_until(lambda: ci.plugin.polls, "the first poll", pause=0.01)
        # The clock stands still, so that however long one waits the rest is not over.
        with pytest.raises(AssertionError, match="a second poll"):
            poll_until(lambda: len(ci.plugin.polls) > 1, "a second poll", 0.3, pause=0.01)
        clock.seconds = 1
        poll_until(lambda: len(ci.plugin.polls) > 1, "a second poll", pause=0.01)


@pytest.mark.process
def test_a_trigger_polls_at_once_in_spite_of_the_back_off(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        ci.define()
        poller_of(ci).poll_and_wait()
        ci.plugin.offers["churn"] = revision("r1")
        headers = {"Accept": "application/vnd.go.cd.v1+json"}
        triggered = ci.http.post(f"/go/api/internal/materials/{FINGERPRINT}/trigger_update", headers=headers)
        assert (triggered.status_code, triggered.json()) == (201, {"message": "OK"})
        ci.finished("churn/1/one/1")


@pytest.mark.process
def test_a_hanging_plugin_blocks_only_its_own_material(tmp_path: Path) -> None:
    other = pipeline(stage("one"), materials={"model": {"package": "spam"}})
    with running(tmp_path, ONE | {"spam": other}) as ci:
        release = ci.plugin.hangs["churn"] = threading.Event()
        ci.define()
        ci.define("spam")
        poll_until(lambda: poller_of(ci).in_progress, "the hanging poll")
        refused = ci.post(f"internal/materials/{FINGERPRINT}/trigger_update")
        assert (refused.status_code, refused.json()) == (409, {"message": "Update already in progress."})
        ci.promote("r1", "spam")
        assert ci.finished("spam/1/one/1")["result"] == "Passed"
        release.set()


def test_a_trigger_of_an_unknown_material_is_not_found(tmp_path: Path) -> None:
    with running(tmp_path, ONE) as ci:
        refused = ci.post("internal/materials/abc/trigger_update")
        assert (refused.status_code, refused.json()) == (404, {"message": "Material not found"})


@pytest.mark.process
def test_a_package_without_auto_update_is_polled_when_asked_only(tmp_path: Path) -> None:
    with running(tmp_path, ONE, FAST) as ci:
        ci.define(auto_update=False)
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        assert len(ci.plugin.polls) == 1


@pytest.mark.process
def test_a_package_whose_auto_update_is_turned_on_is_polled_at_once_and_from_then_on_by_the_timer(
    tmp_path: Path,
) -> None:
    with running(tmp_path, ONE, FAST) as ci:
        ci.define(auto_update=False)
        assert ci.get("server_health_messages").json() == []
        change(ci, auto_update=True)
        poll_until(lambda: ci.plugin.polls, "the first poll", pause=0.01)
        ci.plugin.offers["churn"] = revision("r1")
        ci.finished("churn/1/one/1")


@pytest.mark.process
def test_a_package_whose_auto_update_is_turned_off_is_polled_no_more(tmp_path: Path) -> None:
    with running(tmp_path, ONE, FAST) as ci:
        ci.define()
        ci.promote("r1")
        ci.finished("churn/1/one/1")
        (poller,) = ci.engine.materials.pollers()
        change(ci, auto_update=False)
        poll_until(lambda: not poller.in_progress, "the end of the last poll", pause=0.01)
        polls = len(ci.plugin.polls)
        ci.promote("r2")
        ci.finished("churn/2/one/1")
        assert len(ci.plugin.polls) == polls + 1


def change(ci: CiWithFakePlugin, **fields: Any) -> None:
    tag = ci.get("admin/packages/churn", 2).headers["ETag"]
    sent = {"Accept": "application/vnd.go.cd.v2+json", "If-Match": tag}
    body = {**new_package("churn"), **fields}
    ci.http.put("/go/api/admin/packages/churn", json=body, headers=sent).raise_for_status()


def test_a_package_that_no_pipeline_uses_is_never_polled(tmp_path: Path) -> None:
    with running(tmp_path, ONE, FAST) as ci:
        ci.define()
        ci.define("spam")
        known = ci.get("internal/materials").json()["materials"]
        assert [it["config"]["attributes"]["ref"] for it in known] == ["churn"]

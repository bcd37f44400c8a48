"""Following models: every look at every model, round after round, whatever one of them refuses."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.contract.errors import Refused
from services.delivery.clients.tracking import Tracking
from services.delivery.promotions.previews import CALM_ROUNDS, ScheduleEachPreview
from services.delivery.promotions.promoted import AGAIN, PREVIEW_ROUNDS, Promoted
from services.delivery.promotions.reconcilers import (
    AskForPoll,
    AskForPreview,
    DefineExperiment,
    DefinePackage,
    KeepPolled,
)
from services.delivery.verbs.follow import Follower, Reconciler
from services.gocd import definitions
from services.gocd.client import GoCD, Json
from services.gocd.setup import set_up
from tests.support.embedded_ci import CiWithFakePlugin, pipeline, running, stage
from tests.support.embedded_fakes import FakeMlflowPlugin, revision
from tests.support.fake_mlflow import PlayedMlflow
from tests.support.gocd_replay import Replay
from tests.support.poll import poll_until

MODELS = ("a-model", "b-model")


class Looked:
    """A look that notes what it was given, and refuses while `reason` is set."""

    def __init__(self, reason: str | None = None) -> None:
        self.models: list[str] = []
        self.reason = reason

    def __call__(self, model: str) -> None:
        self.models.append(model)
        if self.reason:
            raise Refused(self.reason)


def test_every_look_is_given_every_model_each_round_and_models_may_come() -> None:
    models, first, second = ["a-model"], Looked(), Looked()
    follower = Follower(lambda: models, [first, second], lambda _: None)
    follower.round()
    models.append("b-model")
    follower.round()
    assert first.models == second.models == ["a-model", "a-model", "b-model"]


def test_what_a_look_refuses_is_said_once_and_stops_no_other_look_or_model() -> None:
    said: list[str] = []
    refusing, after = Looked("MLflow is away"), Looked()
    follower = Follower(lambda: MODELS, [refusing, after], said.append)
    for _ in range(3):
        follower.round()
    assert said == ["MLflow is away"]
    assert refusing.models == after.models == [*MODELS] * 3


def test_a_refusal_that_comes_again_after_a_good_round_is_said_again() -> None:
    said: list[str] = []
    look = Looked("away")
    follower = Follower(lambda: MODELS, [look], said.append)
    for reason in ("away", None, "away", "closed"):
        look.reason = reason
        follower.round()
    assert said == ["away", "away", "closed"]


def test_a_stop_ends_it_in_the_midst_of_a_pause() -> None:
    look = Looked()
    follower = Follower(lambda: MODELS, [look], lambda _: None, seconds=3600)
    thread = threading.Thread(target=follower.run)
    thread.start()
    poll_until(lambda: look.models == [*MODELS], "the first round", pause=0.01)
    follower.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert look.models == [*MODELS]


# From here on: what is promoted in MLflow, against the embedded CI server.

BUILDS = {
    name: pipeline(stage("build"), materials={"model": {"package": name}})
    for name in ("a-model", "b-model", "c-model", "a-model-preview")
}


class Scene:
    """A CI server that polls only when it is asked, a played MLflow, and a follower between them."""

    def __init__(self, ci: CiWithFakePlugin) -> None:
        self.ci, self.mlflow = ci, PlayedMlflow()
        self.said: list[str] = []
        self.models = ["a-model", "b-model"]
        self.gocd = GoCD(f"{ci.http.base_url}/go")
        tracking = Tracking("http://mlflow:5000", transport=self.mlflow)
        promoted = Promoted(self.gocd, tracking)
        say = self.said.append
        reconcilers: list[Reconciler] = [
            DefineExperiment(tracking, promoted, say),
            DefinePackage(self.gocd, promoted, say),
            KeepPolled(self.gocd, promoted, say),
            AskForPoll(self.gocd, promoted, say),
            AskForPreview(self.gocd, promoted, say),
        ]
        self.follower = Follower(lambda: self.models, reconcilers, say, promoted.begin)
        repository = definitions.repository("http://mlflow:5000", "http://localhost:5000")
        list(set_up(self.gocd, [repository, *(definitions.package(model) for model in self.models)], say))
        self.said.clear()

    def round(self) -> None:
        """Polls that it led to have ended afterwards."""
        self.follower.round()
        poll_until(lambda: not any(it.in_progress for it in self.ci.engine.materials.pollers()), "polls", pause=0.01)

    def offer(self, model: str, name: str) -> None:
        """What the plugin reports when it is polled next."""
        self.ci.plugin.offers[model] = revision(name)

    def polls(self, model: str) -> int:
        fields = [content["package-configuration"] for _, content in self.ci.plugin.polls]
        return sum(one["EXPERIMENT"]["value"] == model for one in fields)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with running(tmp_path, BUILDS, plugin=FakeMlflowPlugin()) as ci:
        scene = Scene(ci)
        scene.round()
        # Packages that were defined without a follower are polled at once, and nothing is promoted: GoCD rests.
        poll_until(lambda: scene.polls("a-model") and scene.polls("b-model"), "the first polls", pause=0.01)
        with scene.gocd:
            yield scene


def test_each_model_gets_its_experiment_and_its_package_also_one_that_comes_later(scene: Scene) -> None:
    assert set(scene.mlflow.experiments) == {"a-model", "b-model"}
    scene.models.append("c-model")
    scene.round()
    assert set(scene.mlflow.experiments) == {"a-model", "b-model", "c-model"}
    known = {it.id for it in scene.ci.engine.catalog.packages()}
    assert known == {"a-model", "b-model", "c-model", "a-model-preview", "b-model-preview", "c-model-preview"}
    assert scene.said[-3:] == [
        "created: experiment 'c-model'", "created: package 'c-model'", "created: package 'c-model-preview'"
    ]  # fmt: skip


def health(scene: Scene) -> list[str]:
    """Of those models that the fixture did not define."""
    found = scene.ci.get("server_health_messages").json()
    return [it["message"] for it in found if "c-model" in it["message"]]


def test_a_model_that_nobody_promoted_is_not_polled_and_has_no_health_message(scene: Scene) -> None:
    scene.models.append("c-model")
    for _ in range(3):
        scene.round()
    package = scene.ci.engine.catalog.package("c-model")
    assert package
    assert (package.auto_update, scene.polls("c-model"), health(scene)) == (False, 0, [])
    assert len(scene.ci.get("server_health_messages").json()) == 2


@pytest.mark.process
def test_the_first_promotion_of_such_a_model_turns_its_polling_on_and_is_scheduled(scene: Scene) -> None:
    scene.models.append("c-model")
    scene.round()
    scene.mlflow.tag("c-model", "1" * 32, "yes")
    scene.offer("c-model", "1-11111111")
    for _ in range(4):
        scene.round()
    scene.ci.finished("c-model/1/build/1")
    package = scene.ci.engine.catalog.package("c-model")
    assert package
    assert package.auto_update
    assert {it.key: it.value for it in package.properties} == {"EXPERIMENT": "c-model", "TAG": "promote"}
    assert health(scene) == []
    assert scene.said.count("c-model is promoted: GoCD polls its package from now on") == 1


@pytest.mark.parametrize("status", [412, 500])
def test_a_package_that_could_not_be_turned_on_is_turned_on_in_a_later_round_and_asked_for_anyway(status: int) -> None:
    mlflow, said, replay = PlayedMlflow(), list[str](), Replay()
    mlflow.tag("a-model", "1" * 32, "yes")
    theirs = [*A_PACKAGE["configuration"], {"key": "THEIRS", "encrypted_value": "AES:x:y"}]
    off = {**A_PACKAGE, "auto_update": False, "configuration": theirs}
    replay.on("GET", "/api/admin/packages", {"_embedded": {"packages": [off]}})
    replay.on("GET", "/api/admin/packages/a-model", off, ETag='"abc"')
    replay.on("PUT", "/api/admin/packages/a-model", {"message": "not now"}, status=status)
    replay.on("PUT", "/api/admin/packages/a-model", {**off, "auto_update": True})
    with GoCD("http://gocd/go", transport=replay) as gocd:
        promoted = Promoted(gocd, Tracking("http://mlflow:5000", transport=mlflow))
        look = Looked()
        follower = Follower(lambda: ["a-model"], [KeepPolled(gocd, promoted, said.append), look], said.append)
        follower.round()
        follower.round()
    assert look.models == ["a-model"] * 2
    refused, put = replay.changes()
    assert (put.headers["if-match"], put.body) == ('"abc"', refused.body)
    assert put.body == {
        "id": "a-model",
        "name": "a-model",
        "auto_update": True,
        "package_repo": {"id": "mlflow"},
        "configuration": theirs,
    }
    assert said[0].endswith(f"found {status}: not now")
    assert said[1:] == ["a-model is promoted: GoCD polls its package from now on"]


def test_while_nothing_is_promoted_gocd_is_not_asked(scene: Scene) -> None:
    before = len(scene.ci.plugin.polls)
    scene.mlflow.tag("a-model", "1" * 32, "yes", status="RUNNING")
    for _ in range(3):
        scene.round()
    assert len(scene.ci.plugin.polls) == before


@pytest.mark.process
def test_a_tag_by_hand_is_scheduled_at_once_in_spite_of_the_back_off_and_settled_by_one_more_poll(scene: Scene) -> None:
    before = scene.polls("a-model")
    scene.mlflow.tag("a-model", "1" * 32, "yes")
    scene.offer("a-model", "1-11111111")
    for _ in range(6):
        scene.round()
    scene.ci.finished("a-model/1/build/1")
    assert scene.polls("a-model") == before + 2
    assert scene.said.count("a-model is promoted in MLflow: asked GoCD to poll its package") == 1


@pytest.mark.process
def test_one_search_a_round_serves_every_model_and_names_what_is_known(scene: Scene) -> None:
    for number in range(1, 9):
        scene.mlflow.tag("a-model", f"{number:032x}", "yes")
    scene.offer("a-model", "1-00000001")
    for _ in range(4):
        scene.round()
    scene.mlflow.asked.clear()
    scene.round()
    assert scene.mlflow.asked == ["runs/search"]
    assert scene.mlflow.filters[-1].count("0000") > 0
    assert scene.mlflow.filters[-1].count("'") == 2 * (8 - AGAIN)


@pytest.mark.process
def test_another_value_on_a_run_that_is_known_is_found_within_as_many_rounds_as_there_are_runs(scene: Scene) -> None:
    for number in range(1, 9):
        scene.mlflow.tag("a-model", f"{number:032x}", "yes")
    scene.offer("a-model", "1-00000001")
    for _ in range(4):
        scene.round()
    for number in (1, 8):
        scene.mlflow.tag("a-model", f"{number:032x}", f"again {number}")
        scene.offer("a-model", f"{number + 1}-0000000{number}")
        before = scene.polls("a-model")
        for _ in range(2):
            scene.round()
        assert scene.polls("a-model") > before


@pytest.mark.process
def test_after_an_outage_of_mlflow_each_promoted_model_is_asked_for_once_more(scene: Scene) -> None:
    scene.mlflow.tag("a-model", "1" * 32, "yes")
    scene.offer("a-model", "1-11111111")
    for _ in range(4):
        scene.round()
    scene.mlflow.away = True
    before = len(scene.ci.plugin.polls)
    for _ in range(3):
        scene.round()
    assert len(scene.ci.plugin.polls) == before
    assert [line for line in scene.said if "cannot reach it" in line] == [
        "expected MLflow at http://mlflow:5000, cannot reach it (Connection refused): is it up?"
    ]
    scene.mlflow.away = False
    for _ in range(4):
        scene.round()
    assert len(scene.ci.plugin.polls) == before + 1
    assert scene.ci.history("a-model")[0]["counter"] == 1


def test_a_poll_that_goes_on_failing_is_asked_for_ever_more_rarely_and_told_once_with_the_reason(scene: Scene) -> None:
    before = scene.polls("a-model")
    scene.mlflow.tag("a-model", "1" * 32, "yes")
    for _ in range(40):
        scene.round()
    # In rounds 1, 2, 4, 7, 12, 21 and 38: after rests of 0, 1, 2, 4, 8 and 16 rounds.
    assert scene.polls("a-model") == before + 7
    (line,) = [line for line in scene.said if line.startswith("a-model is promoted: expected GoCD to poll")]
    assert line.endswith("'stub: nothing promoted yet for a-model'")
    scene.mlflow.tag("a-model", "2" * 32, "a new one is asked for at once")
    scene.round()
    assert scene.polls("a-model") == before + 8


@pytest.mark.process
def test_a_poll_that_is_under_way_is_waited_for_and_then_asked_again(scene: Scene) -> None:
    poller = next(it for it in scene.ci.engine.materials.pollers() if it.package.id == "a-model")
    hang = scene.ci.plugin.hangs["a-model"] = threading.Event()
    before = scene.polls("a-model")
    assert poller.trigger()
    poll_until(lambda: scene.polls("a-model") > before, "a poll that hangs", pause=0.01)
    scene.mlflow.tag("a-model", "1" * 32, "yes")
    scene.follower.round()
    scene.follower.round()
    assert scene.polls("a-model") == before + 1
    hang.set()
    poll_until(lambda: not poller.in_progress, "its end", pause=0.01)
    scene.offer("a-model", "1-11111111")
    scene.round()
    scene.ci.finished("a-model/1/build/1")


@pytest.mark.process
def test_a_poll_that_hangs_and_then_fails_is_not_taken_for_one_that_found_nothing_more(scene: Scene) -> None:
    scene.mlflow.tag("a-model", "1" * 32, "yes")
    scene.offer("a-model", "1-11111111")
    for _ in range(4):
        scene.round()
    hang = scene.ci.plugin.hangs["a-model"] = threading.Event()
    del scene.ci.plugin.offers["a-model"]
    before = scene.polls("a-model")
    scene.mlflow.tag("a-model", "2" * 32, "yes")
    scene.follower.round()
    poll_until(lambda: scene.polls("a-model") > before, "a poll that hangs", pause=0.01)
    for _ in range(3):
        scene.follower.round()
    hang.set()
    poll_until(lambda: (scene.gocd.package_material("a-model") or {})["messages"], "its failure", pause=0.01)
    scene.offer("a-model", "2-22222222")
    for _ in range(2):
        scene.round()
    scene.ci.finished("a-model/2/build/1")


def test_a_promotion_that_no_pipeline_waits_for_is_told(scene: Scene) -> None:
    scene.models.append("d-model")
    scene.mlflow.tag("d-model", "1" * 32, "yes")
    for _ in range(3):
        scene.round()
    assert (
        scene.said.count("d-model is promoted: expected a pipeline that has its package in GoCD, found none: add one")
        == 1
    )


def test_a_gocd_that_is_away_is_told_once_and_asked_again_when_it_is_back() -> None:
    mlflow, said = PlayedMlflow(), list[str]()
    mlflow.tag("a-model", "1" * 32, "yes")
    tracking = Tracking("http://mlflow:5000", transport=mlflow)
    material = {
        "config": {"fingerprint": "f00", "attributes": {"ref": "a-model"}},
        "material_update_in_progress": False,
        "modification": None,
        "messages": [],
    }
    replay = Replay()
    with GoCD("http://gocd/go", transport=replay) as gocd:
        promoted = Promoted(gocd, tracking)
        follower = Follower(lambda: ["a-model"], [AskForPoll(gocd, promoted, said.append)], said.append, promoted.begin)
        replay.on("GET", "/api/admin/packages", {"message": "GoCD server is starting"}, status=503)
        replay.on("GET", "/api/admin/packages", {"_embedded": {"packages": [A_PACKAGE]}})
        replay.on("GET", "/api/internal/materials", {"materials": [material]})
        replay.on("POST", "/api/internal/materials/f00/trigger_update", {"message": "OK"}, status=201)
        follower.round()
        assert [asked.path for asked in replay.changes()] == []
        follower.round()
    assert [asked.path for asked in replay.changes()] == ["/api/internal/materials/f00/trigger_update"]
    assert said[0].endswith("found 503: GoCD server is starting")
    assert said[1:] == ["a-model is promoted in MLflow: asked GoCD to poll its package"]


A_PACKAGE: Json = {
    "id": "a-model",
    "name": "a-model",
    "auto_update": True,
    "package_repo": {"id": "mlflow"},
    "configuration": [{"key": "EXPERIMENT", "value": "a-model"}],
}


def test_an_alias_that_moves_is_asked_for_also_when_it_moves_back() -> None:
    mlflow = PlayedMlflow()
    by_alias = [{"key": "REGISTERED_MODEL", "value": "price"}, {"key": "ALIAS", "value": "production"}]
    replay = Replay()
    replay.on("GET", "/api/admin/packages", {"_embedded": {"packages": [{**A_PACKAGE, "configuration": by_alias}]}})
    with GoCD("http://gocd/go", transport=replay) as gocd:
        promoted = Promoted(gocd, Tracking("http://mlflow:5000", transport=mlflow))
        assert promoted.of("a-model") == frozenset()
        found = []
        for version in (1, 2, 1):
            mlflow.aliases["price", "production"] = version
            promoted.begin()
            found.append(promoted.of("a-model"))
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>", "found: no answer of MLflow's: '<html>'"),
        (200, b"{}", "found: an answer without 'experiment', which is not MLflow's"),
        (200, b'{"experiment": 1}', "found: an answer of another shape than MLflow's"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "Invalid\\nHost"}', "PERMISSION_DENIED: Invalid Host"),
        (404, b"not here", "found: 404: not here"),
    ],
)
def test_what_is_no_mlflow_is_told_and_never_taken_for_nothing_promoted(status: int, body: bytes, says: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    with pytest.raises(Refused) as refused:
        Tracking("http://mlflow:5000", transport=transport).experiment("a-model")
    assert str(refused.value).endswith(says)


def test_a_preview_costs_one_search_in_ten_rounds_for_all_models_and_gocd_is_not_asked_to_poll(scene: Scene) -> None:
    scene.mlflow.filters.clear()
    polls = len(scene.ci.plugin.polls)
    for _ in range(2 * PREVIEW_ROUNDS):
        scene.round()
    assert sum("`preview`" in one for one in scene.mlflow.filters) == 2
    assert len(scene.ci.plugin.polls) == polls
    packages = (scene.ci.engine.catalog.package(f"{model}-preview") for model in MODELS)
    assert [package and package.auto_update for package in packages] == [False, False]


@pytest.mark.process
def test_a_run_that_is_tagged_preview_is_judged_without_the_timer_of_gocd(scene: Scene) -> None:
    scene.mlflow.tag("a-model", "1" * 32, "#42", key="preview")
    scene.offer("a-model", "1-11111111")
    for _ in range(2 * PREVIEW_ROUNDS):
        scene.round()
    scene.ci.finished("a-model-preview/1/build/1")
    assert scene.ci.history("a-model") == []
    package = scene.ci.engine.catalog.package("a-model-preview")
    assert package
    assert not package.auto_update
    assert scene.said.count("a-model-preview is asked for in MLflow: asked GoCD to poll its package") == 1


def instance(counter: int, *revisions: str, result: str = "Passed") -> Json:
    material = {"type": "Package", "fingerprint": "f00"}
    listed = [{"revision": one} for one in revisions]
    causes = [{"material": material, "changed": True, "modifications": listed}]
    stages = [{"name": "fetch", "result": result}]
    return {"counter": counter, "build_cause": {"material_revisions": causes}, "stages": stages}


class Previews:
    """What GoCD answers of the pipeline of previews, newest instance first, and what it is asked."""

    def __init__(self, *built: Json) -> None:
        self.mlflow, self.replay, self.said = PlayedMlflow(), Replay(), list[str]()
        self.mlflow.tag("a-model", "1" * 32, "#42", key="preview")
        package = definitions.previews("a-model").body
        self.replay.on("GET", "/api/admin/packages", {"_embedded": {"packages": [package]}})
        self.replay.on("GET", "/api/pipelines/a-model-preview/history", {"pipelines": list(built)})
        self.replay.on("POST", "/api/pipelines/a-model-preview/schedule", {"message": "OK"}, status=202)

    def rounds(self, number: int) -> None:
        with GoCD("http://gocd/go", transport=self.replay) as gocd:
            promoted = Promoted(gocd, Tracking("http://mlflow:5000", transport=self.mlflow))
            reconcilers = [ScheduleEachPreview(gocd, promoted, self.said.append)]
            follower = Follower(lambda: ["a-model"], reconcilers, self.said.append, promoted.begin)
            for _ in range(number):
                follower.round()

    def asked(self) -> int:
        return sum(one.path.endswith("/history") for one in self.replay.asked)


def test_each_preview_that_gocd_passed_over_is_judged_the_oldest_first() -> None:
    previews = Previews(instance(2, "4-d0000000", "3-c0000000", "2-b0000000"), instance(1, "1-a0000000"))
    previews.rounds(1)
    (asked,) = previews.replay.changes()
    assert asked.body["materials"] == [{"fingerprint": "f00", "revision": "2-b0000000"}]
    assert previews.said == ["a-model-preview: 2-b0000000 was passed over: it is judged now"]


@pytest.mark.parametrize(
    "built",
    [
        [instance(2, "3-c0000000", "2-b0000000", result="Unknown"), instance(1, "1-a0000000")],
        [instance(3, "2-b0000000"), instance(2, "3-c0000000", "2-b0000000"), instance(1, "1-a0000000")],
        [instance(1, "1-a0000000", result="Failed")],
        [],
    ],
    ids=["one runs", "it was run by itself", "one failed", "nothing ran yet"],
)
def test_a_preview_is_scheduled_once_and_never_beside_another(built: list[Json]) -> None:
    previews = Previews(*built)
    previews.rounds(1)
    assert (previews.replay.changes(), previews.said) == ([], [])


def test_some_rounds_after_all_previews_are_over_gocd_is_asked_no_more() -> None:
    previews = Previews(instance(1, "1-a0000000"))
    previews.rounds(3 * CALM_ROUNDS)
    assert previews.asked() == CALM_ROUNDS

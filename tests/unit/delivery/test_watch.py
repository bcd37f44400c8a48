"""deploy, watch and the orders of a person, beside a rollout service whose machine is played."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from services.contract import names
from services.contract.deployment import (
    Deployment,
    DeployRequest,
    ModelState,
    RetireRequest,
    RollbackRequest,
    StepOrder,
    StepRequest,
)
from services.contract.errors import Refused, SteppedBack, Unavailable
from services.contract.ledger import JournalEntry, JournalEvent
from services.contract.release import Release
from services.contract.rollout_plan import RolloutPlan, WhenInconclusive
from services.contract.rollout_step import Step, StepKind, StepStatus
from services.contract.verdict import Check, Verdict
from services.contract.waiting import wait_until
from services.contract.watched import Ending, Watched
from services.delivery.clients.rollout_client import Rollout
from services.delivery.history.words import line
from services.delivery.reports.report import watched_page
from services.delivery.settings import Settings
from services.delivery.takeover import attended, telling, watching
from services.delivery.takeover.attended import deploy_attended
from services.delivery.takeover.progress import QUIET_SECONDS, Progress
from services.delivery.takeover.watching import watched
from services.delivery.takeover.words import step_words
from services.delivery.verbs.step import abort, pause, promote_now, resume
from services.delivery.verbs.watch import watch
from services.rollout.model import ModelRollout
from services.rollout.steps import takeover
from tests.support.delivery_bench import rollout_service
from tests.support.played_run import PlayedRun, playing
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import MODEL, FakeMachine, ask_for
from tests.support.web_receiver import Receiver, receiving

# Nobody asks here, so that a bake is inconclusive.
BACK = RolloutPlan(bake=0.02, inconclusive=WhenInconclusive.BACK)
LONG = RolloutPlan(bake=3600.0)
STEPS = RolloutPlan(canary=(0.05, 0.25), step=3600.0, bake=0)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"


class Here(Rollout):
    """A rollout service in this process."""

    def __init__(self, model: ModelRollout) -> None:
        self._model = model

    def without_patience(self) -> "Here":
        return self

    def state(self, model: str) -> ModelState:  # noqa: ARG002  it has one
        return self._model.state()

    def deployments(self, model: str) -> list[Deployment]:  # noqa: ARG002
        return self._model.deployments()

    def ledger(self, model: str) -> list[JournalEntry]:  # noqa: ARG002
        return list(self._model.traffic.files.entries())

    def deploy(self, model: str, request: DeployRequest) -> Deployment:  # noqa: ARG002
        return self._model.deploy(request)

    def order(self, model: str, request: StepRequest) -> StepStatus | None:  # noqa: ARG002
        return self._model.obey(request)


class Site:
    """Promotions 1 to 3 of a model by one plan, the first of them live."""

    def __init__(self, machine: FakeMachine, plan: RolloutPlan) -> None:
        self.releases = [build_release(machine.store, ReleasePlan(number=number, rollout=plan)) for number in (1, 2, 3)]
        self.model = ModelRollout(MODEL, machine.dependencies())
        self.rollout = Here(self.model)
        self.deploy(0)

    def deploy(self, place: int) -> Release:
        self.model.deploy(ask_for(self.releases[place].digest))
        return self.releases[place]

    def watched(self, release: Release, pause: Callable[[float], None] = lambda _: None) -> Watched:
        self.said: list[str] = []
        return watched(self.rollout, release, self.said.append, pause)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(attended, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0.005)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[FakeMachine]:
    machine = FakeMachine(tmp_path / "state", tmp_path / "store", free_port())
    machine.state.mkdir()
    yield machine
    machine.close()


def test_the_first_release_has_no_bake_and_is_released_at_once(machine: FakeMachine) -> None:
    site = Site(machine, LONG)
    found = site.watched(site.releases[0])
    assert (found.ending, found.verdict) == (Ending.RELEASED, Verdict.PASS)
    assert found.words == "1-aaaaaaaa is released at once: nothing was live before it to go back to"


def test_a_model_without_a_bake_is_not_waited_for(machine: FakeMachine) -> None:
    site = Site(machine, RolloutPlan(bake=0))
    assert site.watched(site.deploy(1)).words == "2-aaaaaaaa is released at once: its model.yaml has no bake"


def test_what_was_taken_back_says_so_in_the_words_of_the_analysis(machine: FakeMachine) -> None:
    site = Site(machine, BACK)
    found = site.watched(site.deploy(1))
    live = site.model.state().live
    assert live
    assert (found.ending, found.verdict, found.words) == (Ending.TAKEN_BACK, Verdict.FAIL, live.reason)
    assert found.words.startswith("2-aaaaaaaa was taken back in its bake: errors: expected at most 1.0% more errors")
    assert "0 of at least 300 requests" in found.words
    # Whoever runs the stage again is told the same.
    again = site.watched(site.releases[1])
    assert (again.ending, again.words) == (found.ending, found.words)


def test_a_bake_that_nobody_asked_in_is_released_and_not_said_to_be_good(machine: FakeMachine) -> None:
    site = Site(machine, BACK.model_copy(update={"inconclusive": WhenInconclusive.WAIT}))
    found = site.watched(site.deploy(1))
    assert found.ending is Ending.RELEASED
    assert found.words.startswith(
        "2-aaaaaaaa is released: bake is over without a verdict: errors, refused, latency: 0 "
    )


@pytest.mark.parametrize(
    ("end", "ending", "words"),
    [
        (
            lambda model, _: model.rollback(RollbackRequest(by="grace", reason="complaints")),
            Ending.TAKEN_BACK,
            "2-aaaaaaaa was taken back in its bake by grace: complaints",
        ),
        (
            lambda model, releases: model.deploy(ask_for(releases[2].digest)),
            Ending.REPLACED,
            "2-aaaaaaaa was replaced in its bake by 3-aaaaaaaa, by ada: why not",
        ),
        (
            lambda model, _: model.retire(RetireRequest(by="grace", reason="no more")),
            Ending.RETIRED,
            "2-aaaaaaaa was retired in its bake by grace: no more",
        ),
        (
            lambda model, _: model.obey(StepRequest(order=StepOrder.ABORT, by="grace", reason="complaints")),
            Ending.TAKEN_BACK,
            "2-aaaaaaaa was taken back: aborted by grace: complaints",
        ),
        (
            lambda model, _: model.obey(StepRequest(order=StepOrder.PROMOTE_NOW, by="grace", reason="urgent")),
            Ending.RELEASED,
            "2-aaaaaaaa is released: bake was ended by hand",
        ),
    ],
)
def test_who_ends_a_bake_is_named(machine: FakeMachine, end: Callable[..., Any], ending: Ending, words: str) -> None:
    site = Site(machine, LONG)
    release = site.deploy(1)
    ends = iter([lambda: end(site.model, site.releases)])
    found = site.watched(release, lambda _: next(ends, lambda: None)())
    assert (found.ending, found.words) == (ending, words)
    assert site.said[0].startswith("2-aaaaaaaa is in its bake since ")


def test_another_candidate_in_its_steps_does_not_end_the_watch(machine: FakeMachine) -> None:
    site = Site(machine, LONG)
    release = site.deploy(1)
    state = site.model.state()
    assert state.step
    of_another = state.step.model_copy(update={"release": site.releases[2].digest})
    entries = site.rollout.ledger(MODEL)
    assert watching.ended(release, state.model_copy(update={"step": of_another}), entries) is None
    pauses = list[float]()

    def hidden(seconds: float) -> None:
        pauses.append(seconds)
        site.model.obey(StepRequest(order=StepOrder.PROMOTE_NOW, by="grace"))
        wait_until(lambda: site.model.state().step is None, "the end of its bake", 30)

    looks = iter([state.model_copy(update={"step": of_another})])
    site.rollout.state = lambda _: next(looks, site.model.state())  # type: ignore[method-assign, assignment]
    assert site.watched(release, hidden).ending is Ending.RELEASED
    assert pauses == [watching.HIDDEN_PAUSE_SECONDS], "each of these looks reads the whole ledger"
    nobody = watching.ended(release, state.model_copy(update={"step": None}), entries)
    assert nobody
    assert (nobody.ending, nobody.verdict) == (Ending.UNWATCHED, Verdict.INCONCLUSIVE)


def test_what_cannot_be_taken_back_fails_with_both_reasons(machine: FakeMachine) -> None:
    site = Site(machine, BACK)
    machine.backend.all[0].refuses = frozenset({"check"})
    release = site.deploy(1)
    machine.backend.refuses = frozenset({"check"})
    found = site.watched(release)
    assert (found.ending, found.verdict) == (Ending.UNWATCHED, Verdict.FAIL)
    assert "was taken back in its bake" in found.words
    assert found.words.endswith("but it does not check")
    site.model.steps.stop()


def test_what_never_became_live_cannot_be_watched(machine: FakeMachine) -> None:
    site = Site(machine, LONG)
    with pytest.raises(Refused, match="expected 2-aaaaaaaa in the ledger as live, found nothing of it: run"):
        site.watched(site.releases[1])


def test_progress_is_said_when_it_is_new_and_often_enough_for_gocd() -> None:
    now, said = [0.0], list[str]()
    progress = Progress(said.append, lambda: now[0])
    for at, what, words in ((0.0, "a", "1"), (1.0, "a", "2"), (2.0, "b", "3"), (2.0 + QUIET_SECONDS, "b", "4")):
        now[0] = at
        progress.tell(what, words)
    assert said == ["1", "3", "4"]


def test_a_step_is_told_with_what_is_undecided_and_how_many_requests_were_seen() -> None:
    def check(name: str, verdict: Verdict, found: str) -> Check:
        return Check(name=name, verdict=verdict, expected="", found=found)

    few = "12 of at least 200 requests, and 800 live"
    status = StepStatus(
        revision="2-aaaaaaaa",
        release="0" * 64,
        step=Step(kind=StepKind.CANARY, seconds=120, share=0.05),
        since=AT,
        paused=True,
        checks=(
            check("errors", Verdict.INCONCLUSIVE, few),
            check("latency", Verdict.INCONCLUSIVE, few),
            check("restarts", Verdict.PASS, "0 restarts"),
        ),
    )
    assert step_words(status) == (
        "2-aaaaaaaa is in its canary of 5% since 03:04:05 UTC, paused; "
        "undecided: errors, latency (12 of at least 200 requests, and 800 live); passed: restarts"
    )


def test_a_deploy_says_its_step_and_fails_in_the_words_of_who_took_it_back(machine: FakeMachine) -> None:
    site, said = Site(machine, STEPS), list[str]()

    def say(words: str) -> None:
        said.append(words)
        if "canary" in words:
            site.model.obey(StepRequest(order=StepOrder.ABORT, by="grace", reason="complaints"))

    with pytest.raises(SteppedBack, match="2-aaaaaaaa was taken back: aborted by grace: complaints"):
        deploy_attended(site.rollout, MODEL, ask_for(site.releases[1].digest), say)
    assert any(words.startswith("2-aaaaaaaa is in its canary of 5% since ") for words in said)


@pytest.mark.parametrize("ended", [SystemExit(143), KeyboardInterrupt()])
def test_a_deploy_that_is_ended_aborts_its_candidate_and_says_so(machine: FakeMachine, ended: BaseException) -> None:
    site, said = Site(machine, STEPS), list[str]()

    def say(words: str) -> None:
        said.append(words)
        if "canary" in words:
            raise ended

    with pytest.raises(type(ended)):
        deploy_attended(site.rollout, MODEL, ask_for(site.releases[1].digest), say)
    assert said[-1] == f"aborted: release {site.releases[1].digest[:12]}… of {MODEL} does not go live"
    wait_until(lambda: site.model.state().step is None, "the end of its steps", 30)
    live = site.model.state().live
    assert live and live.release == site.releases[0].digest
    told = [line(one) for one in site.rollout.ledger(MODEL) if one.event is JournalEvent.STEP]
    assert told[-1].endswith(": abort in its canary of 5%: the stage deploy was ended before the candidate was live")


def test_a_deploy_that_is_ended_after_its_switch_says_how_it_is_taken_back(machine: FakeMachine) -> None:
    site, said = Site(machine, RolloutPlan(bake=0)), list[str]()
    request = ask_for(site.releases[1].digest)
    asking = attended._Asking(lambda: site.rollout.deploy(MODEL, request))
    assert asking.over.wait(30)
    said.append(attended._aborted(site.rollout, MODEL, request, asking))
    assert said == [f"2-aaaaaaaa went live before it could be aborted: trackback rollback {MODEL} takes it back"]


def test_a_deploy_is_asked_for_again_when_the_service_was_restarted_in_it(machine: FakeMachine) -> None:
    site = Site(machine, STEPS)
    state = site.model.state()
    assert state.live
    stopped = (503, b'{"message": "the rollout service was stopped"}')
    answers = iter([(200, b""), stopped, (200, state.live.to_json().encode())])

    def answer(method: str, _: str, __: bytes) -> tuple[int, bytes]:
        if method == "GET":
            return 200, state.to_json().encode()
        status, content = next(answers)
        if not content:
            raise ConnectionError
        return status, content

    with receiving(Receiver(answer)) as service:
        found = Rollout(service.url, patience=30).deploy(MODEL, ask_for(site.releases[0].digest))
    assert found == state.live
    assert [method for method, *_ in service.got] == ["POST", "GET"] * 2 + ["POST"]
    with pytest.raises(Unavailable):
        Rollout(NOWHERE).deploy(MODEL, ask_for(site.releases[0].digest))


def test_the_run_and_who_is_notified_are_told_how_a_rollout_ended(machine: FakeMachine) -> None:
    site = Site(machine, BACK)
    found = site.watched(site.deploy(1))
    with playing(PlayedRun()) as run, receiving(Receiver()) as notified:
        settings = Settings(mlflow_tracking_uri=run.url, notify_url=SecretStr(notified.url))
        telling.tell_ending(settings, site.rollout, site.releases[1], found)
        telling.tell_stepped_back(settings, site.releases[2].manifest.candidate, "3-aaaaaaaa was taken back: aborted")
    assert run.tags[names.ROLLOUT_TAG] == "3-aaaaaaaa was taken back: aborted"
    assert "| rollout | 3-aaaaaaaa was taken back: aborted |" in run.tags[names.NOTE_TAG]
    told = [json.loads(body) for _, _, body in notified.got]
    assert [(one["stage"], one["verdict"], one["revision"]) for one in told] == [("watch", "fail", "2-aaaaaaaa")], (
        "of what was taken back in a step the rollout service tells"
    )
    assert told[0]["summary"] == found.words


def test_the_page_of_a_watch_has_its_words_and_checks_and_nothing_that_becomes_html(machine: FakeMachine) -> None:
    site = Site(machine, LONG)
    found = site.watched(site.releases[0]).model_copy(
        update={
            "words": "<script>alert(1)</script>",
            "checks": (Check(name="errors", verdict=Verdict.FAIL, expected="few", found="<b>many</b>"),),
        }
    )
    page = watched_page(found)
    assert "<h1>&lt;script&gt;" in page and "&lt;b&gt;many&lt;/b&gt;" in page and "✕ fail" in page
    assert "<script>" not in page


@pytest.mark.process
def test_the_verbs_watch_and_steer_a_rollout_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    plans = {1: BACK, 2: BACK, 3: STEPS}
    first, second, third = (
        build_release(store, ReleasePlan(number=number, rollout=plan)) for number, plan in plans.items()
    )
    second.write(tmp_path / "release.json")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
    refusals: list[Refused] = []
    with rollout_service(tmp_path / "rollout", store) as url:
        monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", url)
        client = Rollout(url)
        for release in (first, second):
            client.deploy(MODEL, ask_for(release.digest))
        with pytest.raises(Refused, match="2-aaaaaaaa was taken back in its bake: errors: expected at most 1.0% more"):
            watch(tmp_path / "release.json", tmp_path / "out")
        watched = Watched.read(tmp_path / "out" / names.WATCH_FILE)
        assert watched.ending is Ending.TAKEN_BACK
        assert watched.words.encode()[:40] in (tmp_path / "out" / names.WATCH_PAGE).read_bytes()

        def deploy() -> None:
            try:
                client.deploy(MODEL, ask_for(third.digest))
            except Refused as refused:
                refusals.append(refused)

        thread = Thread(target=deploy)
        thread.start()
        wait_until(lambda: client.state(MODEL).step, "its first step", 30)
        for order in (pause, resume):
            order(MODEL, reason="", who="grace")
        for order in (abort, promote_now):
            with pytest.raises(Refused, match="expected --reason with why"):
                order(MODEL, reason=" ", who="grace")
        abort(MODEL, reason="complaints", who="grace")
        thread.join(60)
        with pytest.raises(Refused, match="expected a release in a step to pause, found none"):
            pause(MODEL)
    assert [(type(one), str(one)) for one in refusals] == [
        (SteppedBack, "3-aaaaaaaa was taken back: aborted by grace: complaints")
    ]
    said = capsys.readouterr()
    assert f"{MODEL}: pause is ordered; 3-aaaaaaaa is in its canary of 5% since " in said.err
    assert '"paused": true' in said.out

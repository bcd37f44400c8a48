"""status: each model's part for itself, and what is down said as it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from services.contract.control_protocol import Workers
from services.contract.deployment import Action, Deployment, ModelState
from services.contract.errors import Refused, Unavailable
from services.contract.rollout_step import Step, StepKind, StepStatus
from services.delivery.clients.rollout_client import Rollout
from services.delivery.store import Store
from services.delivery.verbs.status import Status, lines, read_status, status
from services.gocd.client import GoCD
from tests.support.gocd_replay import Replay
from tests.support.receipts import receipt_of
from tests.support.release_factory import ReleasePlan, build_release

AT = datetime(2026, 11, 27, 7, 0, 0, tzinfo=UTC)
SOON = datetime(2026, 11, 27, 7, 5, 0, tzinfo=UTC)
RUN = "3f0c" + 28 * "0"


def deployment(model: str) -> Deployment:
    return Deployment(
        model=model,
        revision="1-aaaaaaaa",
        release="0" * 64,
        run_id=RUN,
        action=Action.DEPLOY,
        at=AT,
        by="ada",
        reason="",
    )


def state(model: str, **more: Any) -> ModelState:
    found = {"url": f"http://here/{model}", "answering": True, "live": deployment(model), "previous": None} | more
    return ModelState(model=model, **found)


class PlayedRollout(Rollout):
    """Answers with these states; a Refused in place of one is raised."""

    def __init__(self, *states: ModelState, refusal: Refused | None = None) -> None:
        self._states, self._refusal, self.asked = {one.model: one for one in states}, refusal, 0

    def state(self, model: str) -> ModelState:
        self.asked += 1
        if self._refusal:
            raise self._refusal
        return self._states[model]

    def deployments(self, model: str) -> list[Deployment]:
        live = self.state(model).live
        return [live] if live else []


def built(model: str, counter: int, *revisions: str, fetch: str = "Passed", validate: str = "Passed") -> dict[str, Any]:
    def stage(name: str, status: str) -> dict[str, Any]:
        jobs = [] if status == "Unknown" else [{"name": name, "result": status}]
        return {"name": name, "counter": "1", "status": status, "scheduled": bool(jobs), "jobs": jobs}

    page = f"http://mlflow/#/experiments/1/runs/{RUN}"
    modifications = [
        {"revision": one, "user_name": "ada", "comment": f'{{"TRACKBACK_URL":"{page}"}}'} for one in revisions
    ]
    material = {"material": {"type": "Package", "fingerprint": "f00d"}, "changed": True, "modifications": modifications}
    return {
        "name": model,
        "counter": counter,
        "label": f"{counter}-{revisions[0]}",
        "build_cause": {"material_revisions": [material]},
        "stages": [stage("fetch", fetch), stage("validate", validate)],
    }


def deployed(model: str, counter: int) -> dict[str, Any]:
    upstream = {"material": {"type": "Pipeline"}, "modifications": [{"revision": f"{model}/{counter}/validate/1"}]}
    return {
        "name": f"{model}-online",
        "counter": counter,
        "label": str(counter),
        "build_cause": {"material_revisions": [upstream]},
        "stages": [{"name": "deploy", "counter": "1", "status": "Passed", "jobs": []}],
    }


@pytest.fixture
def batch() -> list[dict[str, Any]] | None:
    """The instances of the pipeline of images; None where there is no such pipeline."""
    return None


@pytest.fixture
def server(batch: list[dict[str, Any]] | None) -> Replay:
    """A GoCD with the pipelines of `churn`: 1 was delivered, 3 was refused and had 2 merged into it."""
    gocd = Replay()
    if batch is not None:
        gocd.on("GET", "/api/pipelines/churn-batch/history", {"pipelines": batch})
    history = [built("churn", 2, "3-cccccccc", "2-bbbbbbbb", validate="Failed"), built("churn", 1, "1-aaaaaaaa")]
    gocd.on("GET", "/api/pipelines/churn/history", {"pipelines": history})
    gocd.on("GET", "/api/pipelines/churn-online/history", {"pipelines": [deployed("churn", 1)]})
    gocd.on("GET", "/api/materials/f00d/modifications", {"_embedded": {"modifications": []}})
    console = b"&2|07:00:00.000 expected a better model\n"
    gocd.on("GET", "/files/churn/2/validate/1/validate/cruise-output/console.log", console)
    for missing in ("gem-price", "gem-price-online", "churn-batch"):
        words = {"message": f"Pipeline with name '{missing}' was not found!"}
        gocd.on("GET", f"/api/pipelines/{missing}/history", words, 404)
    return gocd


CHURN = [
    "  churn 2: fetch Passed → validate Failed",
    "  churn-online 1: deploy Passed",
    "  promotion 3-cccccccc by ada: refused at validate: expected a better model",
    "  promotion 2-bbbbbbbb by ada: superseded by 3-cccccccc",
    "  promotion 1-aaaaaaaa by ada: delivered",
]
ANSWERS = "1-aaaaaaaa since 2026-11-27 07:00:00 UTC at http://here/{} answers"


def read(server: httpx.BaseTransport, rollout: Rollout, *models: str) -> Status:
    with GoCD("http://gocd/go", transport=server) as gocd:
        return read_status(gocd, rollout, list(models))


def test_each_promotion_has_a_line_with_what_became_of_it(server: Replay) -> None:
    found = read(server, PlayedRollout(state("churn")), "churn")
    assert lines(found) == [f"churn: {ANSWERS.format('churn')}", *CHURN]
    assert found.well


WAITING_JOB = {"name": "image", "state": "Scheduled", "result": "Unknown"}


def images(image: dict[str, Any], score: dict[str, Any]) -> list[dict[str, Any]]:
    stages = [
        {"name": name, "counter": "1", "status": "Unknown", "scheduled": False, "jobs": []} | more
        for name, more in (("image", image), ("score", score))
    ]
    return [{"name": "churn-batch", "counter": 1, "label": "1", "stages": stages}]


BUILDING = WAITING_JOB | {"state": "Building"}


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (images({"status": "Building", "jobs": [WAITING_JOB]}, {}), "image waits for an agent → score not run"),
        (images({"status": "Building", "jobs": [BUILDING]}, {"can_run": False}), "image Building → score not run"),
        (images({"status": "Passed"}, {"can_run": True}), "image Passed → score awaits approval"),
        # Busy in another instance: it goes on by itself.
        (images({"status": "Passed"}, {"can_run": False}), "image Passed → score not run"),
        (images({"status": "Failed"}, {"can_run": True}), "image Failed → score not run"),
        (images({"status": "Passed"}, {"status": "Passed"}), "image Passed → score Passed"),
    ],
)
def test_the_newest_image_has_a_line_that_says_what_it_waits_for(server: Replay, words: str) -> None:
    found = read(server, PlayedRollout(state("churn")), "churn")
    assert lines(found) == [f"churn: {ANSWERS.format('churn')}", *CHURN[:2], f"  churn-batch 1: {words}", *CHURN[2:]]


def test_the_newest_batch_of_the_releases_that_answered_has_a_line(server: Replay, tmp_path: Path) -> None:
    release = build_release(tmp_path, ReleasePlan(model="churn"))
    older = receipt_of(release, release="0" * 64, at=AT, shift=None)
    newer = receipt_of(release, release="0" * 64, at=AT + timedelta(hours=1), engine="spark", rejected={"no": 1})
    other = receipt_of(release, at=AT + timedelta(days=1))
    store = Store(tmp_path)
    for one in (newer, older, other):
        store.put_receipt(one)
    with GoCD("http://gocd/go", transport=server) as gocd:
        found = read_status(gocd, PlayedRollout(state("churn")), ["churn"], store.receipts)
    told = "9 of 10 rows scored, 1 rejected, stability index 0.031 (release 000000000000)"
    assert lines(found)[3] == f"  batch of 2026-11-27 08:00:00 UTC by spark: {told}"
    assert found.models[0].batch is not None
    assert (found.models[0].batch.rows_scored, found.models[0].batch.engine) == (9, "spark")


def test_a_receipt_that_cannot_be_read_is_a_line_of_its_model(server: Replay, tmp_path: Path) -> None:
    broken = tmp_path / "receipts" / ("0" * 64) / "1.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    with GoCD("http://gocd/go", transport=server) as gocd:
        found = read_status(gocd, PlayedRollout(state("churn")), ["churn"], Store(tmp_path).receipts)
    assert found.well
    assert lines(found)[-1].startswith(f"  {broken} is not a Receipt: ")


def test_a_model_without_a_pipeline_is_a_line_of_its_own(server: Replay) -> None:
    nothing = state("gem-price", live=None, answering=False, url=None)
    found = read(server, PlayedRollout(nothing, state("churn")), "gem-price", "churn")
    assert lines(found) == [
        "gem-price: nothing answers",
        "  expected the pipeline 'gem-price' in GoCD at http://gocd/go, found none: add it",
        f"churn: {ANSWERS.format('churn')}",
        *CHURN,
    ]
    assert found.well


def test_a_model_that_is_built_and_not_deployed_says_so() -> None:
    history = {"pipelines": [built("gem-price", 1, "1-aaaaaaaa")]}
    gocd = Replay()
    gocd.on("GET", "/api/pipelines/gem-price/history", history)
    for missing in ("gem-price-online", "gem-price-batch"):
        gocd.on("GET", f"/api/pipelines/{missing}/history", {"message": "not found"}, 404)
    gocd.on("GET", "/api/materials/f00d/modifications", {"_embedded": {"modifications": []}})
    found = read(gocd, PlayedRollout(state("gem-price", live=None, answering=False)), "gem-price")
    assert lines(found) == [
        "gem-price: nothing answers",
        "  gem-price 1: fetch Passed → validate Passed",
        "  promotion 1-aaaaaaaa by ada: being judged at deploy",
        "  GoCD has no pipeline 'gem-price-online': what is built is not deployed",
    ]


def test_a_gocd_that_is_away_is_one_line_and_is_asked_once() -> None:
    asked = []

    def away(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("refused")

    rollout = PlayedRollout(state("churn"), state("gem-price"))
    found = read(httpx.MockTransport(away), rollout, "churn", "gem-price")
    assert lines(found) == [
        "expected GoCD at http://gocd/go, cannot reach it (refused): is it up?",
        f"churn: {ANSWERS.format('churn')}",
        f"gem-price: {ANSWERS.format('gem-price')}",
    ]
    assert (len(asked), found.well) == (1, False)


def test_a_rollout_service_that_is_away_is_one_line_and_is_asked_once(server: Replay) -> None:
    rollout = PlayedRollout(refusal=Unavailable("expected the rollout service, cannot reach it"))
    found = read(server, rollout, "churn", "churn")
    told = ["churn: nobody knows what answers", *CHURN]
    assert lines(found) == ["expected the rollout service, cannot reach it", *told, *told]
    assert (rollout.asked, found.well) == (1, False)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"down_since": datetime(2026, 11, 27, 7, 5, tzinfo=UTC), "reason": "release 0000… ended while loading"},
            "does not answer since 2026-11-27 07:05:00 UTC: release 0000… ended while loading",
        ),
        ({}, "does not answer: it has just ended"),
        (
            {"reason": "what answered had ended", "tries": 3, "next_try": datetime(2026, 11, 27, 7, 5, 4, tzinfo=UTC)},
            "does not answer: what answered had ended, started again 3 times, next try 2026-11-27 07:05:04 UTC",
        ),
    ],
)
def test_what_is_live_and_does_not_answer_is_not_said_to_answer(
    server: Replay, more: dict[str, Any], words: str
) -> None:
    found = read(server, PlayedRollout(state("churn", answering=False, **more)), "churn")
    assert lines(found)[0] == f"churn: 1-aaaaaaaa is live but {words}"
    assert not found.well


def test_a_release_in_a_step_is_told_under_what_answers(server: Replay) -> None:
    bake = Step(kind=StepKind.BAKE, seconds=600)
    step = StepStatus(revision="1-aaaaaaaa", release="0" * 64, step=bake, since=AT)
    told = lines(read(server, PlayedRollout(state("churn", step=step)), "churn"))
    assert told[1] == "  1-aaaaaaaa is in its bake since 07:00:00 UTC"


@pytest.mark.parametrize(
    ("watch", "fate"),
    [("Building", "being judged at watch"), ("Failed", "refused at watch: it was taken back"), ("Passed", "delivered")],
)
def test_a_promotion_that_answers_is_delivered_when_its_watch_passed(watch: str, fate: str) -> None:
    server = Replay()
    server.on("GET", "/api/pipelines/churn/history", {"pipelines": [built("churn", 1, "1-aaaaaaaa")]})
    server.on("GET", "/api/materials/f00d/modifications", {"_embedded": {"modifications": []}})
    online = deployed("churn", 1)
    jobs = [{"name": "watch", "result": watch, "state": "Building"}]
    online["stages"].append({"name": "watch", "counter": "1", "status": watch, "scheduled": True, "jobs": jobs})
    server.on("GET", "/api/pipelines/churn-online/history", {"pipelines": [online]})
    console = b"&2|07:00:00.000 it was taken back\n"
    server.on("GET", "/files/churn-online/1/watch/1/watch/cruise-output/console.log", console)
    told = lines(read(server, PlayedRollout(state("churn")), "churn"))
    assert f"  promotion 1-aaaaaaaa by ada: {fate}" in told


@pytest.mark.parametrize(
    ("workers", "words"),
    [
        (Workers(wanted=2, ready=2), "answers"),
        (
            Workers(wanted=2, ready=1, ended=4, reason="worker 1 (process 9) ended by SIGSEGV", next_try=SOON),
            "answers (1 of 2 workers answer; replaced 4 times, last worker 1 (process 9) ended by SIGSEGV, next try "
            "2026-11-27 07:05:00 UTC)",
        ),
        (
            Workers(wanted=1, ready=1, ended=1, reason="worker 0 (process 9) hung"),
            "answers (1 of 1 worker answer; replaced once, last worker 0 (process 9) hung)",
        ),
    ],
)
def test_workers_are_told_of_where_one_has_ended(server: Replay, workers: Workers, words: str) -> None:
    assert lines(read(server, PlayedRollout(state("churn", workers=workers)), "churn"))[0].endswith(f" {words}")


def test_a_release_that_crashes_again_and_again_says_so_while_it_answers(server: Replay) -> None:
    told = lines(read(server, PlayedRollout(state("churn", tries=3)), "churn"))[0]
    assert told.endswith(" answers, but has just been started again 3 times")


def test_a_check_without_services_fails_after_it_has_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "model.yaml").touch()
    for name in ("GOCD_URL", "ROLLOUT_URL"):
        monkeypatch.setenv(f"TRACKBACK_{name}", "http://127.0.0.1:1")
    monkeypatch.setenv("TRACKBACK_MODELS", str(tmp_path))
    with pytest.raises(typer.Exit) as ended:
        status(text=True, check=True)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.splitlines()[-1] == "churn: nobody knows what answers"
    status(text=False, check=False)
    told = Status.from_json(capsys.readouterr().out)
    assert [problem.partition(" at ")[0] for problem in told.problems] == [
        "expected the rollout service",
        "expected GoCD",
    ]

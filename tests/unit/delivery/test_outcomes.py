"""What became of each promotion, told by a CI server that runs real jobs, and what is judged after all."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contract.deployment import Action, Deployment
from services.contract.errors import Refused, Unavailable
from services.contract.outcome import Fate, Outcome
from services.delivery.clients.tracking import Tracking
from services.delivery.promotions.gate_words import with_words
from services.delivery.promotions.outcomes import next_to_schedule, outcomes, read_ledger
from services.delivery.promotions.superseded import ScheduleSuperseded
from services.delivery.settings import Settings
from services.delivery.verbs.trace import later
from services.gocd.client import GoCD
from tests.support.embedded_ci import CiWithFakePlugin, pipeline, python, running, stage
from tests.support.embedded_fakes import FakeClock, revision
from tests.support.gocd_replay import Replay
from tests.support.poll import poll_until

pytestmark = pytest.mark.process

RUN = "{number:08x}" + 24 * "0"
# Each stage waits until its test lets its pipeline's instance go, and says no where the test has written so.
JOB = """
    import os, pathlib, time
    here = pathlib.Path({gate!r})
    label = os.environ.get("GO_PACKAGE_MODEL_LABEL") or os.environ["GO_DEPENDENCY_LABEL_RELEASE"].partition("-")[2]
    name = os.environ["GO_STAGE_NAME"]
    while (here / f"{{label}}-{{name}}-waits").exists():
        time.sleep(0.01)
    if (here / f"{{label}}-{{name}}-fails").exists():
        raise SystemExit(f"expected a better model than {{label}}")
"""


def label(number: int, run: int | None = None) -> str:
    return f"{number}-{RUN.format(number=run or number)[:8]}"


@dataclass
class Told:
    """What the look told others, and what the rollout service answers."""

    said: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    down: bool = False

    def deployments(self, model: str) -> list[Deployment]:
        if self.down:
            raise Unavailable("expected the rollout service, cannot reach it")
        return [_deployment(model, one) for one in self.answered]

    def note(self, run_id: str, text: str) -> None:
        self.notes.append((run_id, text))


def _deployment(model: str, revision: str) -> Deployment:
    return Deployment(
        model=model,
        revision=revision,
        release="0" * 64,
        run_id=RUN.format(number=1),
        action=Action.DEPLOY,
        at=datetime(2026, 11, 27, tzinfo=UTC),
        by="ada",
        reason="",
    )


class Shop:
    """The pipelines `churn` and `churn-online` of a model, and the look that follows it."""

    def __init__(self, ci: CiWithFakePlugin, gate: Path) -> None:
        self.ci, self.gate, self.told = ci, gate, Told()
        self.gocd = GoCD(str(ci.http.base_url.join("/go")))
        self.clock = FakeClock()
        self.look = self.new_look()

    def new_look(self, calm: float = 0) -> ScheduleSuperseded:
        """As a follower has it that was started anew."""
        told = self.told
        return ScheduleSuperseded(self.gocd, told, told.note, told.said.append, calm, self.clock.monotonic)

    def promote(self, number: int, run: int | None = None) -> None:
        found = revision(label(number, run))
        found["trackbackUrl"] = f"http://mlflow/#/experiments/1/runs/{RUN.format(number=run or number)}"
        self.ci.plugin.offers["churn"] = found
        next(iter(self.ci.engine.materials.pollers())).poll_and_wait()

    def hold(self, number: int, name: str) -> None:
        (self.gate / f"{label(number)}-{name}-waits").touch()

    def release(self, number: int, name: str) -> None:
        (self.gate / f"{label(number)}-{name}-waits").unlink()

    def fail(self, number: int, name: str, run: int | None = None) -> None:
        (self.gate / f"{label(number, run)}-{name}-fails").touch()

    def outcomes(self) -> list[Outcome]:
        return outcomes(read_ledger(self.gocd, "churn", frozenset(self.told.answered)))

    def fates(self) -> dict[str, str]:
        return {one.revision: str(one) for one in self.outcomes()}

    def settled(self, *promotions: int) -> dict[str, str]:
        """The outcomes, once those of these promotions are there and none is open."""

        def look() -> dict[str, str] | None:
            found = self.outcomes()
            there = {one.number for one in found if not one.open} >= set(promotions)
            return self.fates() if there and not any(one.open for one in found) else None

        return poll_until(look, f"the outcomes of {promotions}", pause=0.02)

    def ran(self) -> list[str]:
        """The revisions that GoCD ran, in order."""
        built = reversed(self.ci.history("churn"))
        return [it["build_cause"]["material_revisions"][0]["modifications"][0]["revision"] for it in built]


def pipelines(gate: Path) -> dict[str, Any]:
    build = [stage(name, python(JOB.format(gate=str(gate)))) for name in ("fetch", "validate", "package")]
    online = {"release": {"pipeline": "churn", "stage": "package"}}
    deploy = stage("deploy", python(JOB.format(gate=str(gate))))
    return {
        "churn": pipeline(*build, label_template="${COUNT}-${model}"),
        "churn-online": pipeline(deploy, materials=online),
    }


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    gate = tmp_path / "gate"
    gate.mkdir()
    with running(tmp_path, pipelines(gate)) as ci:
        ci.define()
        shop = Shop(ci, gate)
        with shop.gocd:
            yield shop


def three_of_which_the_last_is_bad(shop: Shop) -> None:
    """1 runs; 2 and 3 come while its first stage does, so that 2 is superseded by 3, which is refused."""
    shop.hold(1, "fetch")
    shop.fail(3, "validate")
    for number in (1, 2, 3):
        shop.promote(number)
    shop.release(1, "fetch")
    shop.settled(1, 3)


def test_a_promotion_is_delivered_when_its_deploy_passed(shop: Shop) -> None:
    shop.promote(1)
    assert shop.settled(1) == {label(1): "delivered"}


def test_a_promotion_is_judged_where_it_is(shop: Shop) -> None:
    shop.hold(1, "validate")
    shop.promote(1)
    poll_until(lambda: shop.fates() == {label(1): "being judged at validate"}, "the stage", pause=0.02)
    shop.release(1, "validate")
    shop.settled(1)


def test_what_came_while_the_first_stage_runs_is_waiting(shop: Shop) -> None:
    shop.hold(1, "fetch")
    shop.promote(1)
    shop.promote(2)
    assert shop.fates() == {label(2): "waiting", label(1): "being judged at fetch"}
    shop.release(1, "fetch")
    shop.settled(1, 2)


def test_a_promotion_is_refused_at_a_gate_in_the_gates_words(shop: Shop) -> None:
    shop.fail(1, "validate")
    shop.promote(1)
    assert shop.settled(1) == {label(1): "refused at validate"}
    (outcome,) = shop.outcomes()
    assert outcome.run_id == RUN.format(number=1)
    assert with_words(shop.gocd, outcome).words == f"expected a better model than {label(1)}"


def test_a_promotion_that_deploy_refused_is_refused_there(shop: Shop) -> None:
    shop.fail(1, "deploy")
    shop.promote(1)
    assert shop.settled(1) == {label(1): "refused at deploy"}


def test_the_middle_of_three_is_superseded_by_the_last(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    assert shop.fates() == {
        label(3): "refused at validate",
        label(2): f"superseded by {label(3)}",
        label(1): "delivered",
    }


def test_a_superseded_promotion_is_judged_when_the_newest_was_refused(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    shop.look("churn")
    assert shop.settled(2)[label(2)] == "delivered"
    assert shop.ran() == [label(1), label(3), label(2)]
    assert shop.told.said == [
        f"churn: {label(2)} was superseded by {label(3)}, which is over: it is judged now",
    ]


def test_it_is_judged_once_whatever_is_started_anew(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    shop.fail(2, "validate")
    shop.look("churn")
    with suppress(Refused):  # GoCD's own words, as long as the run has not begun or is in its first stage
        shop.new_look()("churn")
    shop.settled(2)
    for _ in range(3):
        shop.look("churn")
        shop.new_look()("churn")
    assert shop.ran() == [label(1), label(3), label(2)]
    assert shop.fates()[label(2)] == "refused at validate"


def test_nothing_is_judged_while_something_newer_is_under_way(shop: Shop) -> None:
    shop.hold(1, "fetch")
    shop.hold(3, "validate")
    for number in (1, 2, 3):
        shop.promote(number)
    shop.release(1, "fetch")
    poll_until(lambda: shop.fates()[label(3)] == "being judged at validate", "promotion 3", pause=0.02)
    shop.look("churn")
    shop.release(3, "validate")
    assert shop.settled(3)[label(2)] == f"superseded by {label(3)}"
    shop.look("churn")
    assert shop.ran() == [label(1), label(3)]


def test_what_is_older_than_any_release_that_answered_is_left(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    shop.told.answered = [label(1), label(4)]
    shop.look("churn")
    assert shop.ran() == [label(1), label(3)]


def test_nothing_is_judged_while_the_rollout_service_cannot_say_what_answered(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    shop.told.down = True
    with pytest.raises(Unavailable):
        shop.look("churn")
    assert shop.ran() == [label(1), label(3)]
    shop.told.down = False
    shop.look("churn")
    assert shop.settled(2)[label(2)] == "delivered"


def test_a_run_that_a_newer_promotion_judged_is_not_judged_again(shop: Shop) -> None:
    shop.hold(1, "fetch")
    shop.fail(3, "validate", run=2)
    shop.promote(1)
    shop.promote(2)
    shop.promote(3, run=2)
    shop.release(1, "fetch")
    shop.settled(1, 3)
    shop.look("churn")
    assert shop.ran() == [label(1), label(3, 2)]


def test_the_runs_say_what_became_of_them(shop: Shop) -> None:
    three_of_which_the_last_is_bad(shop)
    shop.told.answered = [label(1)]
    shop.look("churn")
    assert shop.told.notes == [
        (RUN.format(number=1), "delivered"),
        (RUN.format(number=2), f"superseded by {label(3)}"),
        (RUN.format(number=3), "refused at validate"),
    ]
    shop.settled(2)
    shop.look("churn")
    assert shop.told.notes[3:] == [(RUN.format(number=2), "delivered")]


def test_a_look_at_what_has_not_changed_asks_gocd_two_questions(shop: Shop) -> None:
    shop.promote(1)
    shop.settled(1)
    shop.look("churn")
    shop.told.down = True
    shop.look("churn")


def test_a_model_of_which_nothing_is_under_way_is_looked_at_again_after_a_pause(shop: Shop) -> None:
    look = shop.new_look(calm=10)
    shop.hold(1, "validate")
    shop.promote(1)
    look("churn")
    shop.release(1, "validate")
    shop.settled(1)
    look("churn")
    assert [text for _, text in shop.told.notes][-1] == "delivered"
    shop.fail(2, "fetch")
    shop.promote(2)
    shop.settled(2)
    look("churn")
    assert [text for _, text in shop.told.notes][-1] == "delivered"
    shop.clock.seconds = 10
    look("churn")
    assert [text for _, text in shop.told.notes][-1] == "refused at fetch"


def test_a_run_is_told_its_outcome_by_a_tag_and_one_that_was_deleted_is_left_alone() -> None:
    answers = [httpx.Response(200, json={}), httpx.Response(400, json={"error_code": "INVALID_PARAMETER_VALUE"})]
    asked: list[tuple[str, Any]] = []

    def mlflow(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, json.loads(request.content)))
        return answers.pop(0) if answers else httpx.Response(500)

    tracking = Tracking("http://mlflow:5000", transport=httpx.MockTransport(mlflow))
    for _ in range(2):
        tracking.note_outcome(RUN.format(number=2), f"superseded by {label(3)}")
    tag = {"run_id": RUN.format(number=2), "key": "trackback.outcome", "value": f"superseded by {label(3)}"}
    assert asked == [("/api/2.0/mlflow/runs/set-tag", tag)] * 2
    with pytest.raises(Refused):
        tracking.note_outcome(RUN.format(number=2), "delivered")


def test_a_model_without_a_pipeline_has_nothing_to_judge(shop: Shop) -> None:
    shop.look("nobody")


def test_what_was_merged_away_before_deploy_is_superseded_there(shop: Shop) -> None:
    shop.hold(1, "deploy")
    for number in (1, 2, 3):
        shop.promote(number)
        shop.ci.finished(f"churn/{number}/package/1")
    shop.release(1, "deploy")
    assert shop.settled(1, 2, 3) == {
        label(3): "delivered",
        label(2): f"superseded by {label(3)}",
        label(1): "delivered",
    }


def test_a_trace_tells_what_became_of_later_promotions_as_far_as_gocd_tells(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    three_of_which_the_last_is_bad(shop)
    first = _deployment("churn", label(1))
    found = later(Settings(gocd_url=shop.gocd.url), first, [first])
    assert [(one.revision, one.told) for one in found] == [
        (label(3), f"refused at validate: expected a better model than {label(3)}"),
        (label(2), f"superseded by {label(3)}"),
    ]
    assert later(Settings(gocd_url="http://127.0.0.1:1"), first, [first]) == ()
    assert "note: what became of later promotions is not known (expected GoCD at http" in capsys.readouterr().err


def outcome(number: int, fate: Fate) -> Outcome:
    return Outcome(
        model="churn", revision=label(number), run_id=RUN.format(number=number), promoted_by="ada", fate=fate
    )


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        ("RSD", 2),
        ("RSSD", 3),
        ("RRSD", 2),
        ("DSR", None),
        ("WSD", None),
        ("RSJD", None),
        ("CSD", 2),
        ("RDSR", None),
        ("RSDJ", 3),
        ("", None),
    ],
)
def test_the_newest_superseded_one_is_next_when_all_newer_than_the_delivered_are_over(
    fates: str, expected: int | None
) -> None:
    """Fates are those of the newest promotion first, the oldest is number 1."""
    named = {"R": Fate.REFUSED, "S": Fate.SUPERSEDED, "D": Fate.DELIVERED, "W": Fate.WAITING, "J": Fate.JUDGING}
    found = [outcome(len(fates) - place, (named | {"C": Fate.CANCELLED})[letter]) for place, letter in enumerate(fates)]
    following = next_to_schedule(found, ())
    assert (following.number if following else None) == expected


DIGEST = "0" * 64
HOLDOUT = {"rows": 10, "sha256": DIGEST, "source": "here"}
IDENTITY = {"model": "churn", "revision": label(1), "candidate": DIGEST, "holdout": HOLDOUT}
VALIDATION = IDENTITY | {
    "verdict": "fail",
    "checks": [
        {"name": "hold-out", "verdict": "pass", "expected": "the pinned one", "found": "it"},
        {"name": "r2_score", "verdict": "fail", "expected": "≥ 0.8", "found": "0.0048"},
        {"name": "latency", "verdict": "inconclusive", "expected": "p99 ≤ 100 ms a row", "found": "a busy machine"},
    ],
    "metrics": {},
    "latency_ms": {},
}
PASSED = IDENTITY | {
    "verdict": "pass",
    "live": None,
    "metric": "mean_absolute_error",
    "candidate_value": 144.2,
    **dict.fromkeys(("live_value", "difference", "interval", "allowed")),
    "confidence": 0.95,
    "margin": 0.01,
    "summary": "nothing is live yet",
}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "validation.json",
            json.dumps(VALIDATION),
            "r2_score: expected ≥ 0.8, found 0.0048; latency: expected p99 ≤ 100 ms a row, found a busy machine",
        ),
        ("validation.json", "{}", "expected 3 rows, found 2"),
        ("validation.json", json.dumps(VALIDATION | {"verdict": "pass", "checks": []}), "expected 3 rows, found 2"),
        ("comparison.json", json.dumps(PASSED | {"verdict": "fail", "summary": "it errs more"}), "it errs more"),
        ("comparison.json", json.dumps(PASSED), "expected 3 rows, found 2"),
        ("nothing.json", "{}", "expected 3 rows, found 2"),
    ],
)
def test_the_words_are_those_of_the_verdict_else_the_last_that_were_printed(
    file: str, content: str, words: str
) -> None:
    gocd = Replay()
    job = "churn/1/validate/1/validate"
    gocd.on("GET", f"/files/{job}/{file}", content.encode())
    console = (
        "!!|06:00:00.000 Task: trackback\n&1|06:00:00.000 first\n&2|06:00:01.000 expected 3 rows, found 2\n&1|06:00 \n"
    )
    gocd.on(
        "GET", f"/files/{job}/cruise-output/console.log", f"{console}?1|06:00:02.000 [go] Task status: failed".encode()
    )
    refused = outcome(1, Fate.REFUSED).model_copy(update={"job": job})
    with GoCD("http://gocd/go", transport=gocd) as client:
        assert with_words(client, refused).words == words

"""Scenarios of promotions, told at random to a CI server that merges revisions as GoCD does.

Whatever order things happen in, every promotion has one outcome in the end, and what is live is the newest good one.
"""

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.contract.deployment import Action, Deployment
from services.contract.errors import Refused
from services.contract.outcome import Fate, Outcome
from services.delivery.promotions.outcomes import outcomes, read_ledger
from services.delivery.promotions.superseded import ScheduleSuperseded
from services.embedded.api.app import create_app
from services.embedded.clock import milliseconds
from services.embedded.engine import CiEngine
from services.embedded.records.catalog import Package, Property, Repository
from services.embedded.records.history import FAILED, PASSED, JobRun
from services.embedded.records.modifications import Modification
from services.gocd.client import GoCD
from tests.support.embedded_ci import URL, create_engine, pipeline, stage
from tests.support.embedded_fakes import FakeClock, FakePlugin
from tests.support.poll import poll_until
from tests.support.rollout_fakes import MODEL

STAGES = ("fetch", "validate", "package", "deploy")
SHAPE = {
    MODEL: pipeline(
        *map(stage, STAGES[:3]), materials={"model": {"package": MODEL}}, label_template="${COUNT}-${model}"
    ),
    f"{MODEL}-online": pipeline(stage("deploy"), materials={"release": {"pipeline": MODEL, "stage": "package"}}),
}
REPOSITORY = Repository("mlflow", "MLflow", "stub.package", "1", (Property("STUB_URL", "here", False, True),))
PACKAGE = Package(MODEL, MODEL, REPOSITORY, True, (Property("PKG", MODEL, False, True),))


class Into(httpx.BaseTransport):
    """Requests go into the app without a network."""

    def __init__(self, app: FastAPI) -> None:
        self._app = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._asked(request))

    async def _asked(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        )
        return httpx.Response(answer.status_code, content=await answer.aread())


class Scenario:
    """A server whose jobs end when the scenario says so, a rollout service with the fence of ours, and a follower."""

    def __init__(self, state: Path, seed: int) -> None:
        self.state, self.chance = state, random.Random(seed)
        self.bad: dict[str, str | None] = {}
        self.answered: list[str] = []
        self.engine = self._server()
        self.engine.catalog.add_repository(REPOSITORY)
        self.engine.catalog.add_package(PACKAGE)
        self.gocd = self._client()
        self.look = self._follower()

    def _server(self) -> CiEngine:
        return create_engine(self.state, SHAPE, FakePlugin(), clock=FakeClock())

    def _client(self) -> GoCD:
        return GoCD(URL, transport=Into(create_app(self.engine, ["127.0.0.1"])))

    def _follower(self) -> ScheduleSuperseded:
        return ScheduleSuperseded(self.gocd, self, lambda _run, _text: None, lambda _text: None, calm=0)

    def deployments(self, model: str) -> list[Deployment]:
        facts: dict[str, Any] = {"release": "0" * 64, "run_id": "0" * 32, "by": "ada", "reason": ""}
        now = FakeClock().now()
        return [Deployment(model=model, revision=one, action=Action.DEPLOY, at=now, **facts) for one in self.answered]

    def promote(self) -> None:
        """What is bad is refused by one of the stages."""
        number = len(self.bad) + 1
        revision = f"{number}-{number:08x}"
        self.bad[revision] = self.chance.choice([None, None, *STAGES])
        now = milliseconds(FakeClock().now())
        page = f'{{"TRACKBACK_URL":"http://mlflow/#/experiments/1/runs/{number:08x}{24 * "0"}"}}'
        self.engine.modifications.add(PACKAGE.fingerprint, Modification(revision, "ada", page, now, {}))
        self.engine.scheduler.consider([MODEL])

    def end_a_job(self) -> None:
        if jobs := self.engine.stages.waiting_jobs():
            job = self.chance.choice(jobs)
            self.engine.scheduler.finish_job(job, self._result(job))

    def _result(self, job: JobRun) -> str:
        revision = self._revision(job)
        if self.bad[revision] == job.name:
            return FAILED
        if job.name == "deploy" and revision not in self.answered:
            if self.answered and _number(revision) < max(map(_number, self.answered)):
                return FAILED  # the rollout service refuses what is older than what was delivered
            self.answered.append(revision)
        return PASSED

    def _revision(self, job: JobRun) -> str:
        instance = self.engine.history.instance_of(self.engine.stages.stage(job.stage))
        (cause,) = self.engine.history.causes(instance)
        if instance.pipeline == MODEL:
            return cause.modifications[0].revision
        return cause.modifications[0].data["LABEL"].partition("-")[2]

    def follow(self) -> None:
        with suppress(Refused):  # a pipeline in its first stage is not triggered
            self.look(MODEL)
        self._wait()

    def follow_twice(self) -> None:
        """As two followers do that run side by side."""
        with suppress(Refused):
            self.look(MODEL)
        with suppress(Refused):
            self._follower()(MODEL)
        self._wait()

    def _wait(self) -> None:
        poll_until(lambda: not self.engine.schedule_requests.pending, "the end of what was triggered", pause=0.001)

    def restart_follower(self) -> None:
        self.look = self._follower()

    def restart_server(self) -> None:
        """The history is what the next one knows."""
        self.engine = self._server()
        self.gocd = self._client()
        self.engine.scheduler.consider_all()
        self.restart_follower()

    def outcomes(self) -> list[Outcome]:
        return outcomes(read_ledger(self.gocd, MODEL, frozenset(self.answered)))

    def end(self) -> None:
        """Goes on until nothing more happens."""
        for _ in range(50 * (len(self.bad) + 1)):
            if not self.engine.stages.waiting_jobs():
                self.restart_follower()
                self.follow()
            if not self.engine.stages.waiting_jobs():
                return
            self.end_a_job()
        raise AssertionError("the scenario does not end")

    def runs(self) -> list[tuple[str, bool]]:
        """Each revision that was run, in order, and whether a stage of its build refused it."""
        found = []
        for instance in reversed(self.engine.history.instances(MODEL, 1000)):
            (cause,) = self.engine.history.causes(instance)
            results = [run.result for name in STAGES for run in self.engine.stages.runs(instance, name)]
            found.append((cause.modifications[0].revision, FAILED in results))
        return found


def _number(revision: str) -> int:
    return int(revision.partition("-")[0])


def tell(scenario: Scenario, promotions: int) -> None:
    deeds = [scenario.promote] * 3 + [scenario.end_a_job] * 6 + [scenario.follow, scenario.follow_twice] * 2
    deeds += [scenario.restart_follower, scenario.restart_server]
    while len(scenario.bad) < promotions:
        scenario.chance.choice(deeds)()
    scenario.end()


def check(scenario: Scenario) -> None:
    found = {one.revision: one for one in scenario.outcomes()}
    good = [revision for revision, stage in scenario.bad.items() if stage is None]
    live = max(map(_number, scenario.answered), default=0)
    assert live == max(map(_number, good), default=0)
    # Promotions before what answers may be out of sight; each of the others is there once.
    assert {revision for revision in scenario.bad if _number(revision) >= live} <= set(found)
    for outcome in found.values():
        assert not outcome.open
        assert (outcome.fate is Fate.DELIVERED) == (outcome.revision in scenario.answered)
        if outcome.number > live:
            assert outcome.fate is Fate.REFUSED
            assert outcome.stage == scenario.bad[outcome.revision]
    # Judged again only when another one went on in its place before anything was said of it.
    runs = scenario.runs()
    refused = [revision for revision, was_refused in runs if was_refused]
    assert len(refused) == len(set(refused))
    for place, (revision, was_refused) in enumerate(runs):
        assert not (was_refused and revision in [later for later, _ in runs[place + 1 :]])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(20))
def test_no_promotion_is_lost_and_what_is_live_is_the_newest_good_one(tmp_path: Path, seed: int) -> None:
    scenario = Scenario(tmp_path, seed)
    tell(scenario, promotions=8)
    check(scenario)


@pytest.mark.thorough
def test_of_thirty_promotions_during_one_first_stage_each_is_judged_until_one_is_good(tmp_path: Path) -> None:
    scenario = Scenario(tmp_path, 0)
    for _ in range(30):
        scenario.promote()
    scenario.bad = dict.fromkeys(scenario.bad, "fetch") | {f"2-{2:08x}": None}
    scenario.end()
    check(scenario)
    assert [revision for revision, _ in scenario.runs()] == [
        f"{number}-{number:08x}" for number in (1, *range(30, 1, -1))
    ]

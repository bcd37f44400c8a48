"""What happened on the recorded server between its exchanges: promotions, hanging polls, jobs that wait for a file."""

import threading
from collections.abc import Callable

from tests.support.poll import poll_until
from tests.unit.embedded.gocd_exchanges.mlflow import RUN_B
from tests.unit.embedded.gocd_exchanges.stand_in import PASSWORDS, PATIENCE, StandIn

Step = Callable[[], None]


class Scenario:
    """One step before each exchange that needs one; a step is done once."""

    def __init__(self, stand_in: StandIn) -> None:
        self._in = stand_in
        self._http = stand_in.ci.http
        self._gate = threading.Event()
        self._gate.set()
        self._steps = self._first_steps() | self._steps_of_runs() | self._last_steps()

    def step(self, exchange: str) -> None:
        """What happened before the exchange of that name, if anything."""
        self._steps.pop(exchange, lambda: None)()

    @property
    def left(self) -> list[str]:
        """Exchanges that were named and never came."""
        return list(self._steps)

    def _first_steps(self) -> dict[str, Step]:
        return {
            "internal config repos: parse error, package unknown": lambda: self._in.poll_config_repo("scratch"),
            "trigger update of the config repo": self._config_repo_is_polled,
            "health: accept application/vnd.go.cd.v1+json": self._first_run,
            "trigger_update: no confirm": self._scratch_is_polled,
            "trigger_update: operator": self._poll_ends,
            "trigger_update: token": self._poll_ends,
            "trigger_update with a JSON body": self._poll_ends,
            "config repo trigger_update: admin": self._hold_config_repo,
            "config repo trigger_update: operator": self._gate.set,
            "schedule: confirm false": self._poll_never_ends,
            "schedule: empty object, JSON, no confirm": lambda: self._served(1),
            "schedule: with variable, slow": lambda: self._finished_locked(2),
        }

    def _steps_of_runs(self) -> dict[str, Step]:
        return {
            "status while it runs": self._run_slowly,
            "stage instance, cancelled": lambda: self._fail_locked(3),
            "status after a failed run of its only stage, lockOnFailure": self._run_and_fail,
            "dashboard, after a failed run of the only stage": self._fifth_locked_run,
            "run stage: no confirm": self._two_stages,
            "stage instance, manual stage passed": self._end_release,
            "stage instance, second run": lambda: self._in.result("scratch/1/release/2"),
            "run stage: manual stage": self._hold,
            "instance downstream after its upstream was run again": lambda: self._in.result(
                "scratch-online/2/deploy/1"
            ),
            "dashboard, building": self._slow_promotion,
            "internal materials while the first stage runs": self._two_more_promotions,
            "instance with two modifications": self._third_run,
            "schedule: pinned old revision": lambda: self._in.result("scratch/2/release/1"),
            "instance of a pinned revision": self._pinned,
            "internal materials while the pipeline is paused": self._fifth_run,
            "status, locked": self._lock,
            "status, unlocked": self._unlock,
            "run stage: unknown stage, admin": self._older_run_again,
            "run stage: confirm in other letters": lambda: self._in.result("scratch/1/release/3"),
            "schedule: confirm empty": lambda: self._in.result("scratch/1/release/4"),
        }

    def _last_steps(self) -> dict[str, Step]:
        return {
            "agents, just killed": self._sixth_promotion,
            "health messages: MLflow away": self._mlflow_away,
            "schedule: while MLflow is away": self._poll_ends,
            "health messages: scheduled while MLflow is away": self._served_nothing,
            "health messages: after a trigger_update of one material": self._scratch_answers_again,
            "stage instance, a job that waited longer than its timeout was cancelled": self._end_sixth_run,
            "health messages: after a restart": self._mlflow_back,
            "console while the job runs": self._seventh_run,
            "stage instance, a job rescheduled": self._end_seventh_run,
            "history of a pipeline that is gone": self._no_scratch_pipelines,
        }

    def _config_repo_is_polled(self) -> None:
        self._hold_config_repo()
        poller = self._in.engine.config_repos.poller("scratch")
        assert poller
        poller.trigger()

    def _hold_config_repo(self) -> None:
        poller = self._in.engine.config_repos.poller("scratch")
        assert poller
        self._gate.clear()
        poll = type(poller).poll
        poller.poll = lambda: self._gate.wait(PATIENCE) and poll(poller)  # type: ignore[method-assign]

    def _first_run(self) -> None:
        self._gate.set()
        self._in.poll_all()
        self._in.promote(1, "first")
        self._in.result("scratch/1/build/1")
        self._in.result("scratch-online/1/deploy/1")

    def _scratch_is_polled(self) -> None:
        self._in.plugin.free.clear()
        fingerprint = self._in.engine.catalog.package("scratch")
        assert fingerprint
        poller = self._in.engine.materials.poller(fingerprint.fingerprint)
        assert poller
        poller.trigger()

    def _poll_ends(self) -> None:
        self._in.plugin.free.set()
        pollers = self._in.engine.materials.pollers()
        poll_until(lambda: not any(it.in_progress for it in pollers), "the polls' end", PATIENCE, pause=0.01)

    def _poll_never_ends(self) -> None:
        self._poll_ends()
        self._in.plugin.free.clear()

    def _served(self, counter: int) -> None:
        self._in.plugin.free.set()
        self._finished_locked(counter)

    def _finished_locked(self, counter: int, result: str = "Passed") -> None:
        self._in.result(f"scratch-locked/{counter}/build/1", result)
        self._no_request_waits()

    def _no_request_waits(self) -> None:
        poll_until(
            lambda: not self._in.engine.schedule_requests.pending, "the requests to be served", PATIENCE, pause=0.01
        )

    def _hold(self) -> None:
        self._in.hold.touch()

    def _release(self) -> None:
        self._in.hold.unlink(missing_ok=True)

    def _run_slowly(self) -> None:
        """Whether the variables of the request were taken or not: the job waits as if they were."""
        self._hold()
        self._trigger_unless(3)
        self._in.building("scratch-locked/3/build/1", "build")
        self._no_request_waits()

    def _trigger_unless(self, counter: int) -> None:
        self._no_request_waits()
        if not self._in.engine.history.instance("scratch-locked", counter):
            self._schedule("scratch-locked")

    def _schedule(self, pipeline: str) -> None:
        headers = {"Accept": "application/vnd.go.cd.v1+json"}
        body = {"update_materials_before_scheduling": False}
        url, login = f"/go/api/pipelines/{pipeline}/schedule", ("operator", PASSWORDS["operator"])
        assert self._http.post(url, headers=headers, json=body, auth=login).status_code == 202

    def _fail_locked(self, counter: int) -> None:
        self._in.fail.touch()
        self._release()
        self._finished_locked(counter, "Failed")

    def _run_and_fail(self) -> None:
        self._trigger_unless(4)
        self._finished_locked(4, "Failed")
        self._in.fail.unlink()
        self._hold()

    def _fifth_locked_run(self) -> None:
        self._in.building("scratch-locked/5/build/1", "build")
        self._no_request_waits()

    def _two_stages(self) -> None:
        self._release()
        self._finished_locked(5)
        self._in.scratch.commit(self._in.scratch_pipelines(locked_stages=2), "two stages")
        self._in.poll_config_repo("scratch")

    def _end_release(self) -> None:
        self._release()
        self._in.result("scratch/1/release/1")

    def _slow_promotion(self) -> None:
        self._hold()
        self._in.promote(2, "slow one")
        self._in.building("scratch/2/build/1", "build")

    def _two_more_promotions(self) -> None:
        self._in.promote(3, "fail two", RUN_B)
        self._in.promote(4, "fail three")

    def _third_run(self) -> None:
        self._release()
        self._in.result("scratch/3/build/1", "Failed")

    def _pinned(self) -> None:
        self._no_request_waits()
        if not self._in.engine.history.instance("scratch", 4):
            self._schedule("scratch")
        self._in.result("scratch/4/build/1", "Failed" if self._newest_fails() else "Passed")

    def _newest_fails(self) -> bool:
        instance = self._in.engine.history.instance("scratch", 4)
        return instance is None or "4-" in instance.label[2:]

    def _fifth_run(self) -> None:
        self._no_request_waits()
        self._in.promote(5, "four", RUN_B)
        self._in.result("scratch/5/build/1")

    def _lock(self) -> None:
        self._in.fail.touch()
        self._schedule("scratch-locked")
        self._in.result("scratch-locked/6/build/1", "Failed")
        self._no_request_waits()
        self._in.fail.unlink()

    def _unlock(self) -> None:
        self._in.engine.history.unlock("scratch-locked")

    def _older_run_again(self) -> None:
        instance = self._in.engine.history.instance("scratch", 1)
        assert instance
        runs = len(self._in.engine.stages.runs(instance, "build"))
        self._in.result(f"scratch/1/build/{runs}")

    def _sixth_promotion(self) -> None:
        self._trigger_unless(7)
        self._in.result("scratch-locked/7/second/1")
        self._no_request_waits()
        self._hold()
        self._in.promote(6, "slow six")
        self._in.building("scratch/6/build/1", "build")

    def _mlflow_away(self) -> None:
        self._in.plugin.away = True
        self._in.poll_all()

    def _served_nothing(self) -> None:
        self._no_request_waits()

    def _scratch_answers_again(self) -> None:
        self._in.plugin.away = False
        self._in.poll("scratch")
        self._in.plugin.away = True

    def _end_sixth_run(self) -> None:
        self._release()
        self._in.result("scratch/6/build/1")

    def _mlflow_back(self) -> None:
        """Not before the last request was served, or that one would find MLflow back."""
        self._no_request_waits()
        self._in.plugin.away = False
        self._in.poll_all()
        self._no_request_waits()

    def _seventh_run(self) -> None:
        self._hold()
        self._in.promote(7, "slow seven", RUN_B)
        self._in.building("scratch/7/build/1", "build")

    def _end_seventh_run(self) -> None:
        self._release()
        self._in.result("scratch/7/build/1")

    def _no_scratch_pipelines(self) -> None:
        self._in.scratch.remove()
        self._in.poll_config_repo("scratch")

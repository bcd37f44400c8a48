"""Runs one job from its workspace to its artifacts, telling the console what GoCD's agent would."""

import shutil
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from services.contract.process_identity import identity
from services.embedded.agent import console as log
from services.embedded.agent.artifacts import CONSOLE_LOG, ArtifactMissing, Artifacts
from services.embedded.agent.console import Console
from services.embedded.agent.environment import Variable, job_variables
from services.embedded.agent.exec_task import ExecRunner, Outcome, describe
from services.embedded.agent.fetch_task import Fetcher, describe_fetch
from services.embedded.agent.job_order import JobOrder
from services.embedded.clock import Clock
from services.embedded.pipelines.pipeline_config import Task
from services.embedded.records.catalog import Catalog
from services.embedded.records.history import CANCELLED, FAILED, PASSED
from services.embedded.records.stage_history import StageHistory


class JobRunner:
    def __init__(
        self,
        state: Path,
        server_url: str,
        inherited: Mapping[str, str],
        catalog: Catalog,
        artifacts: Artifacts,
        stages: StageHistory,
        fetcher: Fetcher,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._state = state
        self._server_url = server_url
        self._inherited = inherited
        self._catalog = catalog
        self._artifacts = artifacts
        self._stages = stages
        self._fetcher = fetcher
        self._clock = clock
        self._stopping = stopping

    def run(self, order: JobOrder, agent: str) -> str:
        """The job's result. Raises Interrupted."""
        variables = job_variables(order, self._catalog, self._server_url)
        secrets = [variable.value for variable in variables if variable.secure]
        console = Console(self._artifacts.folder(order.place) / CONSOLE_LOG, self._clock, secrets)
        try:
            return self._run(order, f"{order.locator} on {agent} [{self._state}]", variables, console)
        finally:
            console.close()

    def _run(self, order: JobOrder, where: str, variables: list[Variable], console: Console) -> str:
        console.go(log.NOTICE, f"Job Started: {self._clock.now().astimezone():%Y-%m-%d %H:%M:%S %Z}")
        console.go(log.PREPARE, f"Start to prepare {where}")
        self._stages.move_job(order.run, "Preparing")
        workspace = self._workspace(order, console)
        _say_variables(variables, console)
        console.go(log.NOTICE, f"Start to build {where}")
        self._stages.move_job(order.run, "Building")
        result = self._tasks(order, workspace, variables, console)
        console.go(log.JOB_PASS if result == PASSED else log.JOB_FAIL, f"Current job status: {result.lower()}")
        self._stages.move_job(order.run, "Completing", result)
        console.go(log.PUBLISH, f"Start to upload {where}")
        result = self._publish(order, workspace, console, result)
        console.go(log.COMPLETED, f"Job completed {where}")
        return result

    def _workspace(self, order: JobOrder, console: Console) -> Path:
        workspace = self._state / "pipelines" / order.instance.pipeline
        if order.stage.clean and workspace.exists():
            reason = "since stage is configured to clean working directory"
            console.go(log.NOTICE, f'Cleaning working directory "{workspace}" {reason}')
            shutil.rmtree(workspace)
        workspace.mkdir(parents=True, exist_ok=True)
        return workspace

    def _tasks(self, order: JobOrder, workspace: Path, variables: list[Variable], console: Console) -> str:
        environment = {**self._inherited, **{variable.name: variable.value for variable in variables}}
        runner = ExecRunner(console, environment, lambda pid: self._note(order, pid), self._stopping)
        result = PASSED
        for task in order.config.tasks:
            if not _wanted(task, result):
                continue
            outcome = self._task(task, order, workspace, runner, console)
            if outcome.cancelled:
                console.go(log.NOTICE, _cancelled(order.config.timeout))
                return CANCELLED
            if not outcome.passed:
                result = FAILED
        return result

    def _note(self, order: JobOrder, pid: int) -> None:
        self._stages.note_process(order.run, pid, identity(pid))

    def _task(self, task: Task, order: JobOrder, workspace: Path, runner: ExecRunner, console: Console) -> Outcome:
        started = self._clock.now()
        if task.exec:
            console.go(log.TASK_START, f"Task: {describe(task.exec)}")
            outcome = runner.run(task.exec, workspace, order.config.timeout * 60.0)
            self._stages.note_process(order.run, None, None)
        else:
            outcome = self._fetch(task, order, workspace, console)
        _say_outcome(outcome, self._clock.now() - started, console)
        return outcome

    def _fetch(self, task: Task, order: JobOrder, workspace: Path, console: Console) -> Outcome:
        if not task.fetch:
            return Outcome(passed=False)
        console.go(log.TASK_START, f"Task: {describe_fetch(task.fetch, order.instance.pipeline)}")
        return Outcome(self._fetcher.run(task.fetch, order, workspace, console))

    def _publish(self, order: JobOrder, workspace: Path, console: Console, result: str) -> str:
        """A job that did not leave what it promised has failed; what a failed one left is kept as well."""
        missing: list[str] = []
        for artifact in order.config.artifacts:
            source = workspace / artifact.build.source
            try:
                self._artifacts.upload(order.place, source, artifact.build.destination)
                console.go(log.PUBLISH, f"Uploading artifacts from {source} to {_shown(artifact.build.destination)}")
            except ArtifactMissing as error:
                console.go(log.PUBLISH_ERR, str(error))
                missing.append(f"[{artifact.build.source}]")
        if not missing:
            return result
        console.go(log.PUBLISH_ERR, f"Uploading finished. Failed to upload {', '.join(missing)}.")
        return FAILED if result == PASSED else result


def _wanted(task: Task, result: str) -> bool:
    configured = task.exec or task.fetch
    return configured is not None and configured.run_if in ("any", result.lower())


def _say_variables(variables: list[Variable], console: Console) -> None:
    console.go(log.PREPARE, "Start to update materials.")
    console.line(log.PREPARE, "")
    for variable in variables:
        console.go(log.PREPARE, f"setting environment variable '{variable.name}' to value '{variable.shown}'")
    console.line(log.PREPARE, "")


def _say_outcome(outcome: Outcome, took: timedelta, console: Console) -> None:
    status = "cancelled" if outcome.cancelled else "passed" if outcome.passed else "failed"
    tag = {"cancelled": log.TASK_CANCELLED, "passed": log.TASK_PASS, "failed": log.TASK_FAIL}[status]
    code = "" if outcome.passed or outcome.exit_code is None else f" (exit code: {outcome.exit_code})"
    console.go(tag, f"Task status: {status} ({took // timedelta(milliseconds=1)} ms){code}")


def _cancelled(minutes: int) -> str:
    return f"Go cancelled this job as it has not generated any console output for more than {minutes} minute(s)"


def _shown(destination: str) -> str:
    return destination or "[defaultRoot]"

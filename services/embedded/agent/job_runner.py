"""Runs one job: workspace, tasks, artifacts, with the console lines of GoCD's agent."""

import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.contract.process_identity import identity
from services.embedded.agent import console as log
from services.embedded.agent.artifacts import CONSOLE_LOG, ArtifactMissing, Artifacts
from services.embedded.agent.console import Console
from services.embedded.agent.exec_task import ExecRunner, Outcome, describe
from services.embedded.agent.fetch_task import Fetcher, describe_fetch
from services.embedded.agent.job_assignment import JobAssignment
from services.embedded.agent.job_variables import Variable, job_variables
from services.embedded.clock import Clock
from services.embedded.pipelines.pipeline_config import Task
from services.embedded.records.catalog import Catalog
from services.embedded.records.history import CANCELLED, FAILED, PASSED
from services.embedded.records.stage_history import StageHistory


@dataclass(frozen=True, kw_only=True)
class JobRunnerDependencies:
    """`inherited` are variables that every job gets; `stopping` is set when the server stops."""

    state: Path
    server_url: str
    inherited: Mapping[str, str]
    catalog: Catalog
    artifacts: Artifacts
    stages: StageHistory
    fetcher: Fetcher
    clock: Clock
    stopping: threading.Event
    image_niceness: int


class JobRunner:
    def __init__(self, dependencies: JobRunnerDependencies) -> None:
        self._deps = dependencies
        self._artifacts, self._stages = dependencies.artifacts, dependencies.stages
        self._clock, self._state = dependencies.clock, dependencies.state

    def run(self, assignment: JobAssignment, agent: str) -> str:
        """Returns the job's result. Raises Interrupted when the server stops."""
        variables = job_variables(assignment, self._deps.catalog, self._deps.server_url)
        secrets = [variable.value for variable in variables if variable.secure]
        console = Console(self._artifacts.folder(assignment.identifier) / CONSOLE_LOG, self._clock, secrets)
        where = f"{assignment.display_locator} on {agent} [{self._state}]"
        try:
            return self._run(assignment, where, variables, console)
        finally:
            console.close()

    def _run(self, assignment: JobAssignment, where: str, variables: list[Variable], console: Console) -> str:
        console.go(log.NOTICE, f"Job Started: {self._clock.now().astimezone():%Y-%m-%d %H:%M:%S %Z}")
        console.go(log.PREPARE, f"Start to prepare {where}")
        self._stages.move_job(assignment.run, "Preparing")
        workspace = self._workspace(assignment, console)
        _say_variables(variables, console)
        console.go(log.NOTICE, f"Start to build {where}")
        self._stages.move_job(assignment.run, "Building")
        result = self._tasks(assignment, workspace, variables, console)
        console.go(log.JOB_PASS if result == PASSED else log.JOB_FAIL, f"Current job status: {result.lower()}")
        self._stages.move_job(assignment.run, "Completing", result)
        console.go(log.PUBLISH, f"Start to upload {where}")
        result = self._publish(assignment, workspace, console, result)
        console.go(log.COMPLETED, f"Job completed {where}")
        return result

    def _workspace(self, assignment: JobAssignment, console: Console) -> Path:
        workspace = self._state / "pipelines" / assignment.instance.pipeline
        if assignment.stage.clean and workspace.exists():
            reason = "since stage is configured to clean working directory"
            console.go(log.NOTICE, f'Cleaning working directory "{workspace}" {reason}')
            shutil.rmtree(workspace)
        workspace.mkdir(parents=True, exist_ok=True)
        return workspace

    def _tasks(self, assignment: JobAssignment, workspace: Path, variables: list[Variable], console: Console) -> str:
        environment = {**self._deps.inherited, **{variable.name: variable.value for variable in variables}}
        runner = ExecRunner(
            console,
            environment,
            lambda pid: self._note_process(assignment, pid),
            self._deps.stopping,
            # Nobody waits for a machine image, but its boot keeps every core busy for a minute.
            self._deps.image_niceness if assignment.config.agent == "image" else 0,
        )
        result = PASSED
        for task in assignment.config.tasks:
            if not _wanted(task, result):
                continue
            outcome = self._task(task, assignment, workspace, runner, console)
            if outcome.cancelled:
                console.go(log.NOTICE, _cancelled(assignment.config.timeout))
                return CANCELLED
            if not outcome.passed:
                result = FAILED
        return result

    def _note_process(self, assignment: JobAssignment, pid: int) -> None:
        self._stages.note_process(assignment.run, pid, identity(pid))

    def _task(
        self, task: Task, assignment: JobAssignment, workspace: Path, runner: ExecRunner, console: Console
    ) -> Outcome:
        started = self._clock.now()
        if task.exec:
            console.go(log.TASK_START, f"Task: {describe(task.exec)}")
            outcome = runner.run(task.exec, workspace, assignment.config.timeout * 60.0)
            self._stages.note_process(assignment.run, None, None)
        else:
            outcome = self._fetch(task, assignment, workspace, console)
        _say_outcome(outcome, self._clock.now() - started, console)
        return outcome

    def _fetch(self, task: Task, assignment: JobAssignment, workspace: Path, console: Console) -> Outcome:
        if not task.fetch:
            return Outcome(passed=False)
        console.go(log.TASK_START, f"Task: {describe_fetch(task.fetch, assignment.instance.pipeline)}")
        return Outcome(self._deps.fetcher.run(task.fetch, assignment, workspace, console))

    def _publish(self, assignment: JobAssignment, workspace: Path, console: Console, result: str) -> str:
        """Uploads the artifacts, of a failed job too. Returns the result, Failed when an artifact is missing."""
        missing: list[str] = []
        for artifact in assignment.config.artifacts:
            source = workspace / artifact.build.source
            try:
                self._artifacts.upload(assignment.identifier, source, artifact.build.destination)
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

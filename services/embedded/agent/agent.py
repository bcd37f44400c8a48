"""The agents of this machine: they run scheduled jobs, several at once but one of a pipeline at a time."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.contract.errors import Refused
from services.contract.waiting import NotInTime, wait_until
from services.embedded.agent.exec_task import Interrupted
from services.embedded.agent.job_assignment import JobAssignment
from services.embedded.agent.process_trees import end_trees
from services.embedded.pipelines.pipeline_config import JobConfig, Resource
from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.records.history import FAILED, History, JobRun
from services.embedded.records.stage_history import StageHistory

STOP_SECONDS = 4.0
_log = logging.getLogger(__name__)


class Runner(Protocol):
    def run(self, assignment: JobAssignment, agent: str) -> str:
        """Returns the result of the job. Raises Interrupted."""
        ...


@dataclass(frozen=True, kw_only=True)
class AgentDependencies:
    """`on_finished` gets a job and its result; `stopping` is set when the server stops."""

    pipelines: PipelineSet
    history: History
    stages: StageHistory
    runner: Runner
    on_finished: Callable[[JobRun, str], None]
    stopping: threading.Event


class Agent:
    def __init__(self, dependencies: AgentDependencies, workers: Sequence[Resource]) -> None:
        """Each worker runs one job at a time, of those that are for agents with its resource."""
        self._deps = dependencies
        self._stages = dependencies.stages
        self._wake = threading.Condition()
        # A pipeline has one workspace, so the jobs of its instances take turns.
        self._busy: set[str] = set()
        self._offered = frozenset(workers)
        self._workers = [
            threading.Thread(target=self._work, args=(f"agent-{number}", resource), daemon=True)
            for number, resource in enumerate(workers, 1)
        ]

    def start(self) -> None:
        """Jobs that ran when the server died run again, once what is left of their processes is ended."""
        interrupted = self._stages.interrupted_jobs()
        end_trees([(job.pid, job.pid_started) for job in interrupted if job.pid and job.pid_started])
        for job in interrupted:
            self._stages.reschedule_job(job)
        for worker in self._workers:
            worker.start()

    def offers(self, job: JobConfig) -> bool:
        """Whether there is a worker that can take it."""
        return job.agent in self._offered

    def wake(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def stop(self) -> None:
        """Ends the processes of running jobs within STOP_SECONDS; the jobs run again at the next start."""
        self._deps.stopping.set()
        self.wake()
        with contextlib.suppress(NotInTime):
            wait_until(self._stopped, "the agents to stop", STOP_SECONDS)

    def _stopped(self) -> bool:
        if any(worker.is_alive() for worker in self._workers):
            running = self._stages.interrupted_jobs()
            end_trees([(job.pid, job.pid_started) for job in running if job.pid], grace=1.0)
        return not any(worker.is_alive() for worker in self._workers)

    def _work(self, name: str, resource: Resource) -> None:
        while job := self._take(name, resource):
            result = self._run(job, name)
            self._release(job)
            if result:
                self._deps.on_finished(job, result)

    def _take(self, name: str, resource: Resource) -> JobRun | None:
        with self._wake:
            while not self._deps.stopping.is_set():
                for job in self._stages.waiting_jobs():
                    pipeline = self._pipeline(job)
                    if pipeline not in self._busy and self._is_for(job) == resource:
                        self._busy.add(pipeline)
                        self._stages.assign_job(job, name)
                        return job
                self._wake.wait()
        return None

    def _release(self, job: JobRun) -> None:
        with self._wake:
            self._busy.discard(self._pipeline(job))
            self._wake.notify_all()

    def _pipeline(self, job: JobRun) -> str:
        return self._deps.history.instance_of(self._stages.stage(job.stage)).pipeline

    def _is_for(self, job: JobRun) -> Resource:
        """A job that the pipelines no longer have is for those that are always there, and fails."""
        stage = self._stages.stage(job.stage)
        config = self._deps.pipelines.current.job(self._pipeline(job), stage.name, job.name)
        return config.agent if config else "python"

    def _run(self, job: JobRun, name: str) -> str | None:
        """None when the server stops before the job ended."""
        try:
            return self._deps.runner.run(self._assignment(job), name)
        except Interrupted:
            return None
        except Exception:  # a job that this server cannot run has failed; the agent goes on
            _log.exception("job %s could not be run", job.name)
            return FAILED

    def _assignment(self, job: JobRun) -> JobAssignment:
        """Raises Refused when the pipelines no longer have the job."""
        stage = self._stages.stage(job.stage)
        instance = self._deps.history.instance_of(stage)
        pipelines = self._deps.pipelines.current
        config = pipelines.job(instance.pipeline, stage.name, job.name)
        if config is None:
            place = f"{instance.pipeline}/{stage.name}/{job.name}"
            raise Refused(f"expected job {place} in the pipelines, found none: promote again with the present ones")
        pipeline = pipelines.pipelines[instance.pipeline]
        causes = tuple(self._deps.history.causes(instance))
        return JobAssignment(job, stage, instance, causes, pipeline, pipeline.stage_configs[stage.name], config)

"""The CI server without its HTTP side: all parts, put together once."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.embedded.agent import Agent
from services.embedded.artifacts import Artifacts
from services.embedded.backoff import Rhythm
from services.embedded.catalog import Catalog
from services.embedded.causes import Causes
from services.embedded.clock import Clock, SystemClock
from services.embedded.database import Database
from services.embedded.fetch_task import Fetcher
from services.embedded.health import Health
from services.embedded.history import History
from services.embedded.job_runner import JobRunner
from services.embedded.materials import Materials
from services.embedded.modifications import Modifications
from services.embedded.package_plugin import PackagePlugin
from services.embedded.pipelines import Pipelines
from services.embedded.plugin import Plugin
from services.embedded.scheduler import Conflict, Scheduler
from services.embedded.stage_history import StageHistory


@dataclass(frozen=True)
class Site:
    """Where the server keeps its state, how it is reached and what its jobs inherit."""

    state: Path
    server_url: str
    inherited: Mapping[str, str]
    agents: int
    mlflow_ui_url: str | None = None


class Engine:
    def __init__(
        self, pipelines: Pipelines, plugin: Plugin, site: Site, rhythm: Rhythm, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        stopping = threading.Event()
        self.pipelines = pipelines
        self.site = site
        self.database = Database(site.state / "history.db")
        self.catalog = Catalog(self.database)
        self.modifications = Modifications(self.database)
        self.history = History(self.database)
        self.stages = StageHistory(self.database, clock)
        self.health = Health(clock)
        self.plugin = PackagePlugin(plugin)
        self.artifacts = Artifacts(site.state / "artifacts")
        causes = Causes(self.catalog, self.modifications, self.history, clock)
        self.scheduler = Scheduler(pipelines, self.history, self.stages, causes, lambda: self.agent.wake())
        fetcher = Fetcher(self.artifacts, self.history, self.stages)
        runner = JobRunner(
            site.state,
            site.server_url,
            site.inherited,
            self.catalog,
            self.artifacts,
            self.stages,
            fetcher,
            clock,
            stopping,
        )
        self.agent = Agent(
            pipelines, self.history, self.stages, runner, self.scheduler.finish_job, stopping, site.agents
        )
        self.materials = Materials(
            pipelines,
            self.catalog,
            self.plugin,
            self.modifications,
            self.health,
            clock,
            rhythm,
            self.scheduler.consider,
        )
        self._triggered: set[str] = set()
        self._triggering = threading.Lock()

    def start(self) -> None:
        self.agent.start()
        self.scheduler.consider_all()
        self.materials.refresh()

    def stop(self) -> None:
        """The database stays open until the process ends: a poll that hangs may still want to read it."""
        self.materials.stop()
        self.agent.stop()

    def trigger(self, pipeline: str, update_materials: bool) -> None:
        """Accepts a request to run; the run begins once its materials were asked. Raises Conflict."""
        with self._triggering:
            if pipeline in self._triggered:
                raise Conflict(f"Failed to trigger pipeline: {pipeline} {{ Pipeline already triggered }}")
            if obstacle := self.scheduler.obstacle(pipeline):
                raise Conflict(obstacle)
            self._triggered.add(pipeline)
        target: Callable[[str, bool], None] = self._run_triggered
        threading.Thread(target=target, args=(pipeline, update_materials), daemon=True).start()

    def _run_triggered(self, pipeline: str, update_materials: bool) -> None:
        subject = f"schedule {pipeline}"
        try:
            if update_materials:
                packages = [it.package for it in self.pipelines.pipelines[pipeline].materials.values() if it.package]
                self.materials.poll_and_wait(packages)
            if self.scheduler.force(pipeline):
                self.health.well(subject)
            else:
                reason = "Unable to find a revision of each of its materials"
                self.health.error(subject, f"Error while scheduling pipeline: {pipeline}", reason)
        except Conflict as conflict:
            self.health.error(subject, f"Error while scheduling pipeline: {pipeline}", str(conflict))
        finally:
            with self._triggering:
                self._triggered.discard(pipeline)

"""The CI server without its HTTP side: all parts, put together once."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.embedded.agent.agent import Agent
from services.embedded.agent.artifacts import Artifacts
from services.embedded.agent.fetch_task import Fetcher
from services.embedded.agent.job_runner import JobRunner
from services.embedded.clock import Clock, SystemClock
from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.pipelines.pipelines import Pipelines
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.plugin.plugin import Plugin
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.config_repos import ConfigRepos
from services.embedded.polling.health import Health
from services.embedded.polling.materials import Materials
from services.embedded.polling.pipelines_file import PipelinesFile
from services.embedded.records.catalog import Catalog
from services.embedded.records.database import Database
from services.embedded.records.history import History
from services.embedded.records.modifications import Modifications
from services.embedded.records.stage_history import StageHistory
from services.embedded.records.users import ANONYMOUS, Users
from services.embedded.scheduling.causes import Causes
from services.embedded.scheduling.scheduler import Conflict, Scheduler


@dataclass(frozen=True)
class Site:
    """Where the server keeps its state, how it is reached and what its jobs inherit."""

    state: Path
    server_url: str
    inherited: Mapping[str, str]
    agents: int
    mlflow_ui_url: str | None = None
    passwords: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ScheduleOrder:
    """What a request to run asks for; `pinned` are revisions by the fingerprint of their material."""

    update_materials: bool = True
    pinned: Mapping[str, str] = field(default_factory=dict)


class Engine:
    def __init__(
        self,
        pipelines: Pipelines | None,
        plugin: Plugin,
        site: Site,
        rhythm: Rhythm,
        clock: Clock | None = None,
        file: Path | None = None,
    ) -> None:
        """`pipelines` are those of `file`, which is followed if it is given."""
        clock = clock or SystemClock()
        self.clock = clock
        stopping = threading.Event()
        self._pipelines = PipelineSet(pipelines)
        self.site = site
        self.database = Database(site.state / "history.db")
        self.users = Users(site.passwords, self.database, clock)
        self.catalog = Catalog(self.database)
        self.modifications = Modifications(self.database)
        self.history = History(self.database)
        self.stages = StageHistory(self.database, clock)
        self.health = Health(clock)
        self.plugin = PackagePlugin(plugin)
        self.artifacts = Artifacts(site.state / "artifacts")
        causes = Causes(self.catalog, self.modifications, self.history, clock)
        self.scheduler = Scheduler(self._pipelines, self.history, self.stages, causes, lambda: self.agent.wake())
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
            self._pipelines, self.history, self.stages, runner, self.scheduler.finish_job, stopping, site.agents
        )
        self.materials = Materials(
            self._pipelines,
            self.catalog,
            self.plugin,
            self.modifications,
            self.health,
            clock,
            rhythm,
            self.scheduler.consider,
        )
        self.config_repos = ConfigRepos(
            self.database, site.state / "config-repos", self.health, clock, rhythm, self._take_over
        )
        self._file = PipelinesFile(file, self.health, clock, rhythm, self._take_over) if file else None
        self._triggered: set[str] = set()
        self._triggering = threading.Lock()

    @property
    def pipelines(self) -> Pipelines:
        """Those of this moment."""
        return self._pipelines.current

    def stage_names(self, pipeline: str) -> list[str]:
        """None for a pipeline of the history that is no longer there."""
        config = self.pipelines.pipelines.get(pipeline)
        return config.stage_names if config else []

    def start(self) -> None:
        self.config_repos.recover()
        self.agent.start()
        self.scheduler.consider_all()
        self.materials.refresh()
        self.config_repos.start()
        if self._file:
            self._file.start()

    def stop(self) -> None:
        """The database stays open until the process ends: a poll that hangs may still want to read it."""
        if self._file:
            self._file.stop()
        self.config_repos.stop()
        self.materials.stop()
        self.agent.stop()

    def _take_over(self, source: str, pipelines: Pipelines | None) -> None:
        """Between two steps of the scheduler, so that each step sees one state of the pipelines. Raises Refused."""
        with self.database.transaction():
            self._pipelines.replace(source, pipelines)
        self.materials.refresh()
        self.scheduler.consider_all()

    def trigger(self, pipeline: str, order: ScheduleOrder, by: str = ANONYMOUS) -> None:
        """Accepts a request to run; the run begins once its materials were asked. Raises Conflict."""
        with self._triggering:
            if pipeline in self._triggered:
                raise Conflict(f"Failed to trigger pipeline: {pipeline} {{ Pipeline already triggered }}")
            if obstacle := self.scheduler.obstacle(pipeline):
                raise Conflict(obstacle)
            self._triggered.add(pipeline)
        target: Callable[[str, ScheduleOrder, str], None] = self._run_triggered
        threading.Thread(target=target, args=(pipeline, order, by), daemon=True).start()

    def _failed_material(self, pipeline: str) -> str | None:
        """Why a material of the pipeline cannot be read now."""
        config = self.pipelines.pipelines.get(pipeline)
        for name, material in config.materials.items() if config else ():
            package = self.catalog.package(material.package or "")
            for message in self.health.messages(package.fingerprint) if package else ():
                return f"Material update failed for material '{name}' because: {message.detail}"
        return None

    def _run_triggered(self, pipeline: str, order: ScheduleOrder, by: str) -> None:
        subject = f"schedule {pipeline}"
        try:
            if order.update_materials:
                config = self.pipelines.pipelines.get(pipeline)
                materials = config.materials.values() if config else ()
                self.materials.poll_and_wait([it.package for it in materials if it.package])
                if failed := self._failed_material(pipeline):
                    self.health.error(subject, f"Could not trigger pipeline '{pipeline}'", failed)
                    return
            if self.scheduler.force(pipeline, by, order.pinned):
                self.health.well(subject)
            elif not order.pinned:  # of a pinned revision that it does not know GoCD says nothing
                reason = "Unable to find a revision of each of its materials"
                self.health.error(subject, f"Error while scheduling pipeline: {pipeline}", reason)
        except Conflict as conflict:
            self.health.error(subject, f"Error while scheduling pipeline: {pipeline}", str(conflict))
        finally:
            with self._triggering:
                self._triggered.discard(pipeline)

"""The CI server without its HTTP side: its parts, what ties them together, their start and their stop."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.embedded.agent.agent import Agent, AgentDependencies
from services.embedded.agent.artifacts import Artifacts
from services.embedded.agent.fetch_task import Fetcher
from services.embedded.agent.job_runner import JobRunner, JobRunnerDependencies
from services.embedded.clock import Clock, SystemClock
from services.embedded.pipelines.gocd_yaml import Pipelines
from services.embedded.pipelines.pipeline_config import Resource
from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.plugin.interface import Plugin
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.polling.backoff import PollIntervals
from services.embedded.polling.config_repos import ConfigRepos
from services.embedded.polling.dependencies import PackagePolling, PipelinePolling
from services.embedded.polling.health import Health
from services.embedded.polling.materials import Materials
from services.embedded.polling.pipelines_file import PipelinesFile
from services.embedded.records.tables import open_tables
from services.embedded.schedule_requests import ScheduleRequestDependencies, ScheduleRequests
from services.embedded.scheduling.causes import Causes
from services.embedded.scheduling.scheduler import Scheduler


@dataclass(frozen=True)
class Site:
    """Where the server keeps its state, its URL (up to `/go`), what its jobs inherit, and passwords by user.

    `agents` is how many have the resource `python`; with `images` one more has the resource `image`.
    """

    state: Path
    server_url: str
    inherited: Mapping[str, str]
    agents: int
    images: bool = False
    image_niceness: int = 19
    mlflow_ui_url: str | None = None
    passwords: Mapping[str, str] = field(default_factory=dict)


class CiEngine:
    def __init__(
        self,
        pipelines: Pipelines | None,
        plugin: Plugin,
        site: Site,
        intervals: PollIntervals,
        clock: Clock | None = None,
        file: Path | None = None,
    ) -> None:
        """`pipelines` are those that were read from `file`, which is polled if it is given."""
        self.site, self.clock = site, clock or SystemClock()
        self._pipelines = PipelineSet(pipelines)
        self._open_tables()
        self.health = Health(self.clock)
        self.plugin = PackagePlugin(plugin)
        self.artifacts = Artifacts(site.state / "artifacts")
        self.scheduler = self._create_scheduler()
        self.agent = self._create_agent()
        self.materials = self._create_materials(intervals)
        self.schedule_requests = self._create_schedule_requests()
        sources = self._pipeline_polling(intervals)
        self.config_repos = ConfigRepos(self.database, site.state / "config-repos", sources)
        self._file = PipelinesFile(file, sources) if file else None

    def _open_tables(self) -> None:
        tables = open_tables(self.site.state / "history.db", self.site.passwords, self.clock)
        self.database, self.users, self.catalog = tables.database, tables.users, tables.catalog
        self.modifications, self.history, self.stages = tables.modifications, tables.history, tables.stages

    def _create_scheduler(self) -> Scheduler:
        causes = Causes(self.catalog, self.modifications, self.history, self.clock)
        # The agent is made after the scheduler, whose decisions it carries out.
        return Scheduler(self._pipelines, self.history, self.stages, causes, lambda: self.agent.wake())

    def _create_agent(self) -> Agent:
        stopping = threading.Event()
        dependencies = AgentDependencies(
            pipelines=self._pipelines,
            history=self.history,
            stages=self.stages,
            runner=self._create_runner(stopping),
            on_finished=self.scheduler.finish_job,
            stopping=stopping,
        )
        workers: list[Resource] = ["python"] * self.site.agents
        return Agent(dependencies, [*workers, "image"] if self.site.images else workers)

    def _create_runner(self, stopping: threading.Event) -> JobRunner:
        dependencies = JobRunnerDependencies(
            state=self.site.state,
            server_url=self.site.server_url,
            inherited=self.site.inherited,
            catalog=self.catalog,
            artifacts=self.artifacts,
            stages=self.stages,
            fetcher=Fetcher(self.artifacts, self.history, self.stages),
            clock=self.clock,
            stopping=stopping,
            image_niceness=self.site.image_niceness,
        )
        return JobRunner(dependencies)

    def _create_materials(self, intervals: PollIntervals) -> Materials:
        polling = PackagePolling(
            plugin=self.plugin,
            modifications=self.modifications,
            health=self.health,
            clock=self.clock,
            intervals=intervals,
            on_new_revision=self.scheduler.consider,
        )
        return Materials(self._pipelines, self.catalog, polling)

    def _create_schedule_requests(self) -> ScheduleRequests:
        dependencies = ScheduleRequestDependencies(
            pipelines=self._pipelines,
            catalog=self.catalog,
            materials=self.materials,
            scheduler=self.scheduler,
            health=self.health,
        )
        return ScheduleRequests(dependencies)

    def _pipeline_polling(self, intervals: PollIntervals) -> PipelinePolling:
        return PipelinePolling(
            health=self.health, clock=self.clock, intervals=intervals, replace_pipelines=self._replace_pipelines
        )

    @property
    def pipelines(self) -> Pipelines:
        """Those that are in force now."""
        return self._pipelines.current

    def stage_names(self, pipeline: str) -> list[str]:
        """Empty for a pipeline of the history that is no longer configured."""
        config = self.pipelines.pipelines.get(pipeline)
        return config.stage_names if config else []

    def start(self) -> None:
        """Pipelines of config repos come first, because the agent runs interrupted jobs of theirs again."""
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

    def _replace_pipelines(self, source: str, pipelines: Pipelines | None) -> None:
        """All pipelines of one source. Raises Refused."""
        # Every step of the scheduler is a transaction too, so each of them sees one state of the pipelines.
        with self.database.transaction():
            self._pipelines.replace(source, pipelines)
        self.materials.refresh()
        self.scheduler.consider_all()

"""GoCD's rules of scheduling: which instance of a pipeline starts, which stage follows, what has to wait."""

from collections.abc import Callable, Iterable, Mapping

from services.embedded.pipelines.pipeline_config import PipelineConfig
from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.records.history import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PASSED,
    Cause,
    History,
    Instance,
    JobRun,
    StageRun,
)
from services.embedded.records.stage_history import StageHistory
from services.embedded.scheduling.causes import Causes
from services.embedded.scheduling.labels import label_of

AUTOMATIC = "changes"


class Conflict(Exception):
    """A pipeline or stage cannot run now; the text is GoCD's."""


class Scheduler:
    """Each decision is one transaction, so that a server that dies in between has recorded all of it or nothing."""

    def __init__(
        self,
        pipelines: PipelineSet,
        history: History,
        stages: StageHistory,
        causes: Causes,
        on_scheduled: Callable[[], None],
    ) -> None:
        # Lock order: an agent that takes a job holds its own lock while it reads the database. So `on_scheduled`, which
        # takes the agent's lock, is called after each transaction and never inside of one.
        self._pipelines = pipelines
        self._history = history
        self._stages = stages
        self._causes = causes
        self._on_scheduled = on_scheduled

    @property
    def _configs(self) -> Mapping[str, PipelineConfig]:
        return self._pipelines.current.pipelines

    def consider(self, names: list[str]) -> None:
        """Starts an instance of each of these pipelines that has a new revision and no obstacle."""
        for name in names:
            with self._history.database.transaction():
                if name in self._configs and not self.obstacle(name):
                    self._start_if_changed(name)
        self._on_scheduled()

    def consider_all(self) -> None:
        self.consider(list(self._configs))

    def obstacle(self, name: str) -> str | None:
        """Why no new instance can start now, in GoCD's words; None when one can."""
        if name not in self._configs:
            return f"Pipeline '{name}' not found."
        first = self._configs[name].stage_names[0]
        if self._stages.active_in(name, first):
            return (
                f"Failed to trigger pipeline [{name}] {{ Stage [{first}] in pipeline [{name}] is still in progress }}"
            )
        if self._history.lock_holder(name) is not None:
            return (
                f"Pipeline {name} cannot be scheduled"
                f" {{ Pipeline {name} is locked as another instance of this pipeline is running. }}"
            )
        return None

    def unknown_materials(self, name: str, fingerprints: Iterable[str]) -> list[str]:
        """Those of these fingerprints that are no material of the pipeline."""
        ours = self._causes.fingerprints(self._configs[name])
        return [fingerprint for fingerprint in fingerprints if fingerprint not in ours]

    def _start_if_changed(self, name: str) -> None:
        """A pipeline whose first stage is manual never starts by itself."""
        config = self._configs[name]
        if config.stage_configs[config.stage_names[0]].manual:
            return
        causes = self._causes.newest(name, self._configs[name])
        if causes and (changed := [cause for cause in causes if cause.changed]):
            self._start(name, causes, self._causes.message(changed[0]), AUTOMATIC)

    def force(self, name: str, by: str, pinned: Mapping[str, str] | None = None) -> bool:
        """Starts an instance with the newest revision of each material, or the one that is pinned by its fingerprint.

        False when a material has no such revision. Raises Conflict.
        """
        with self._history.database.transaction():
            if obstacle := self.obstacle(name):
                raise Conflict(obstacle)
            causes = self._causes.newest(name, self._configs[name], pinned)
            if causes:
                self._start(name, causes, f"Forced by {by}", by)
        self._on_scheduled()
        return causes is not None

    def _start(self, name: str, causes: list[Cause], message: str, by: str) -> None:
        config = self._configs[name]
        newest = next(iter(self._history.instances(name, 1)), None)
        counter = newest.counter + 1 if newest else 1
        label = label_of(config.label_template, counter, causes)
        instance = self._history.add_instance(name, counter, label, message, forced=by != AUTOMATIC)
        for position, cause in enumerate(causes):
            self._history.add_cause(instance, position, cause)
        self._schedule(instance, config, config.stage_names[0], by)

    def _schedule(self, instance: Instance, config: PipelineConfig, name: str, by: str) -> None:
        if config.lock_behavior != "none":
            self._history.lock(instance)
        stage = config.stage_configs[name]
        self._stages.add_stage(instance, name, stage.approval.type, by, stage.clean_workspace, list(stage.jobs))

    def run_stage(self, instance: Instance, name: str, by: str) -> None:
        """Runs a manual stage, or any stage of an instance again. Raises Conflict."""
        with self._history.database.transaction():
            if refusal := self.refusal(instance, name):
                raise Conflict(refusal)
            self._schedule(instance, self._configs[instance.pipeline], name, by)
        self._on_scheduled()

    def refusal(self, instance: Instance, name: str) -> str | None:
        """Why this stage cannot be run by hand now, in GoCD's words; None when it can."""
        config = self._configs.get(instance.pipeline)
        if not config or name not in config.stage_names:
            return f"Stage '{name}' not found in pipeline '{instance.pipeline}'"
        return self._out_of_turn(instance, name) or self._in_progress(instance, name)

    def previous_stage_ran(self, instance: Instance, name: str) -> bool:
        previous = self._previous(instance.pipeline, name)
        return previous is None or self._stages.latest(instance, previous) is not None

    def _out_of_turn(self, instance: Instance, name: str) -> str | None:
        if self._stages.latest(instance, name) or (previous := self._previous(instance.pipeline, name)) is None:
            return None
        ran = self._stages.latest(instance, previous)
        if ran is None:
            return (
                f"Can not run stage [{name}] in pipeline [{instance.pipeline}]"
                " because its previous stage has not been run."
            )
        approval = self._configs[instance.pipeline].stage_configs[name].approval
        if approval.allow_only_on_success and ran.result != PASSED:
            return f"Cannot schedule {name} as the previous stage {previous} has {ran.result}!"
        return None

    def _in_progress(self, instance: Instance, name: str) -> str | None:
        pipeline = instance.pipeline
        if self._stages.active_in(pipeline, instance=instance):
            return (
                f"Cannot schedule: Pipeline[name='{pipeline}', counter='{instance.counter}', label='{instance.label}']"
                " is still in progress"
            )
        if self._stages.active_in(pipeline, name):
            return f"Cannot schedule: Stage [{name}] in pipeline [{pipeline}] is still in progress"
        if self._history.lock_holder(pipeline) not in (None, instance.id):
            return f"Pipeline {pipeline} is locked as another instance of this pipeline is running."
        return None

    def _previous(self, pipeline: str, name: str) -> str | None:
        names = self._configs[pipeline].stage_names
        position = names.index(name)
        return names[position - 1] if position else None

    def finish_job(self, job: JobRun, result: str) -> None:
        """Records the result of a job, and schedules what follows from it."""
        with self._history.database.transaction():
            self._stages.move_job(job, COMPLETED, result)
            stage = self._stages.stage(job.stage)
            affected = self._finish_stage(stage) if stage.active else []
        self.consider(affected)

    def _finish_stage(self, stage: StageRun) -> list[str]:
        """Returns the pipelines that may start an instance now."""
        jobs = self._stages.jobs(stage)
        if any(job.state != COMPLETED for job in jobs):
            return []
        results = {job.result for job in jobs}
        result = next((it for it in (CANCELLED, FAILED) if it in results), PASSED)
        self._stages.finish_stage(stage, result)
        instance = self._history.instance_of(stage)
        if instance.pipeline not in self._configs:
            return []
        return [instance.pipeline, *self._after(instance, stage.name, stage.counter, result)]

    def _after(self, instance: Instance, name: str, counter: int, result: str) -> list[str]:
        config = self._configs[instance.pipeline]
        if name not in config.stage_names:
            return []
        following = config.stage_names[config.stage_names.index(name) + 1 :]
        self._unlock(instance, config, following, result)
        self._schedule_newest_waiting(instance, config, name)
        if result != PASSED:
            return []
        if following:
            self._schedule_if_free(instance, config, following[0])
        return self._record_revision(instance, name, counter)

    def _unlock(self, instance: Instance, config: PipelineConfig, following: list[str], result: str) -> None:
        """GoCD's ScheduleService.unlockIfNecessary: a manual stage that comes next counts as finished."""
        at_rest = result != PASSED or (following and config.stage_configs[following[0]].manual)
        if not following or (config.lock_behavior == "unlockWhenFinished" and at_rest):
            self._history.unlock(instance.pipeline)

    def _schedule_newest_waiting(self, instance: Instance, config: PipelineConfig, name: str) -> None:
        """Runs the stage that `instance` has just finished for the newest instance that waits for it, if any does."""
        # A stage runs in one instance at a time, so instances that pass the stage before it meanwhile have to wait.
        # When it is free GoCD goes on with the newest of them only, because that one was built from the newest
        # revisions. Those in between are skipped: nothing runs their stage, unless a person does. A promotion in one of
        # them is superseded (services/delivery/promotions/outcomes.py): it must not be delivered after a newer one.
        previous = self._previous(instance.pipeline, name)
        if previous is None:
            return
        newest = self._stages.newest_passed(instance.pipeline, previous)
        if newest is not None and newest > instance.id:
            waiting = self._history.instance_by_id(newest)
            if not self._stages.latest(waiting, name):
                self._schedule_if_free(waiting, config, name)

    def _schedule_if_free(self, instance: Instance, config: PipelineConfig, name: str) -> None:
        if not config.stage_configs[name].manual and not self._stages.active_in(instance.pipeline, name):
            self._schedule(instance, config, name, AUTOMATIC)

    def _record_revision(self, instance: Instance, stage: str, counter: int) -> list[str]:
        """Records the passed stage as a revision for the pipelines that have it as a material, and returns these."""
        downstream = self._pipelines.current.downstream(instance.pipeline, stage)
        if downstream:
            self._causes.record_passed(instance, stage, counter)
        return downstream

"""Requests of people and clients to run a pipeline: accepted at once, served in a thread."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.embedded.pipelines.pipeline_set import PipelineSet
from services.embedded.polling.health import Health
from services.embedded.polling.materials import Materials
from services.embedded.records.catalog import Catalog
from services.embedded.records.users import ANONYMOUS
from services.embedded.scheduling.scheduler import Conflict, Scheduler


@dataclass(frozen=True)
class ScheduleRequest:
    """`pinned` holds revisions by the fingerprint of their material; the other materials get their newest one."""

    update_materials: bool = True
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScheduleRequestDependencies:
    pipelines: PipelineSet
    catalog: Catalog
    materials: Materials
    scheduler: Scheduler
    health: Health


class ScheduleRequests:
    """At most one request of a pipeline is served at a time, as in GoCD."""

    def __init__(self, dependencies: ScheduleRequestDependencies) -> None:
        self._deps = dependencies
        self._pending: set[str] = set()
        self._lock = threading.Lock()

    @property
    def pending(self) -> frozenset[str]:
        """The pipelines whose request is being served."""
        with self._lock:
            return frozenset(self._pending)

    def accept(self, pipeline: str, request: ScheduleRequest, by: str = ANONYMOUS) -> None:
        """Returns before the run begins, which is once the materials were polled. Raises Conflict."""
        with self._lock:
            if pipeline in self._pending:
                raise Conflict(f"Failed to trigger pipeline: {pipeline} {{ Pipeline already triggered }}")
            if obstacle := self._deps.scheduler.obstacle(pipeline):
                raise Conflict(obstacle)
            self._pending.add(pipeline)
        threading.Thread(target=self._serve, args=(pipeline, request, by), daemon=True).start()

    def _serve(self, pipeline: str, request: ScheduleRequest, by: str) -> None:
        try:
            failure = self._poll_materials(pipeline) if request.update_materials else None
            if failure:
                self._deps.health.error(_subject(pipeline), f"Could not trigger pipeline '{pipeline}'", failure)
            else:
                self._force(pipeline, request, by)
        finally:
            with self._lock:
                self._pending.discard(pipeline)

    def _force(self, pipeline: str, request: ScheduleRequest, by: str) -> None:
        try:
            started = self._deps.scheduler.force(pipeline, by, request.pinned)
        except Conflict as conflict:
            self._report(pipeline, str(conflict))
            return
        if started:
            self._deps.health.clear(_subject(pipeline))
        elif not request.pinned:  # of a pinned revision that it does not know GoCD says nothing
            self._report(pipeline, "Unable to find a revision of each of its materials")

    def _report(self, pipeline: str, reason: str) -> None:
        self._deps.health.error(_subject(pipeline), f"Error while scheduling pipeline: {pipeline}", reason)

    def _poll_materials(self, pipeline: str) -> str | None:
        """Waits for a poll of each package of the pipeline. Returns why one failed, None when all went well."""
        config = self._deps.pipelines.current.pipelines.get(pipeline)
        materials = config.materials if config else {}
        self._deps.materials.poll_and_wait([it.package for it in materials.values() if it.package])
        for name, material in materials.items():
            package = self._deps.catalog.package(material.package or "")
            for message in self._deps.health.messages(package.fingerprint) if package else ():
                return f"Material update failed for material '{name}' because: {message.detail}"
        return None


def _subject(pipeline: str) -> str:
    return f"schedule {pipeline}"

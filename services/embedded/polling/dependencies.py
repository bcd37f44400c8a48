"""What the poll loops need besides the thing that they poll."""

from collections.abc import Callable
from dataclasses import dataclass

from services.embedded.clock import Clock
from services.embedded.pipelines.gocd_yaml import Pipelines
from services.embedded.plugin.package_plugin import PackagePlugin
from services.embedded.polling.backoff import PollIntervals
from services.embedded.polling.health import Health
from services.embedded.records.modifications import Modifications


@dataclass(frozen=True, kw_only=True)
class PackagePolling:
    """For polls of a package; `on_new_revision` gets the names of the pipelines that wait for it."""

    plugin: PackagePlugin
    modifications: Modifications
    health: Health
    clock: Clock
    intervals: PollIntervals
    on_new_revision: Callable[[list[str]], None]


@dataclass(frozen=True, kw_only=True)
class PipelinePolling:
    """For polls of a source of pipelines: the file or a config repo.

    `replace_pipelines` gets the name of the source and all of its pipelines, None for none; it raises Refused when a
    pipeline of another source has the same name.
    """

    health: Health
    clock: Clock
    intervals: PollIntervals
    replace_pipelines: Callable[[str, Pipelines | None], None]

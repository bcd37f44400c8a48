"""A `*.gocd.yaml` file as a whole: reading it, and checking what its pipelines say of one another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from services.contract.errors import Refused
from services.contract.located_yaml import load_yaml
from services.embedded.pipelines.located import problem_at
from services.embedded.pipelines.pipeline_config import Fetch, JobConfig, Name, PipelineConfig, Shape, StageConfig


class Pipelines(Shape):
    """The file. `common` holds what YAML aliases point at, and nothing that runs."""

    format_version: Literal[10]
    pipelines: dict[Name, PipelineConfig] = Field(min_length=1)
    common: dict[str, Any] = {}

    @model_validator(mode="after")
    def _references_are_known(self) -> Self:
        for name, pipeline in self.pipelines.items():
            self._check_stages(name, pipeline)
            self._check_materials(name, pipeline)
            for place, stage, fetch in pipeline.fetches():
                self._check_fetch(name, stage, fetch, ("pipelines", name, *place))
        return self

    def _check_stages(self, name: str, pipeline: PipelineConfig) -> None:
        names = pipeline.stage_names
        for position, stage in enumerate(names):
            if stage in names[:position]:
                raise problem_at(("pipelines", name, "stages", position), f"stage '{stage}' is named twice")

    def _check_materials(self, name: str, pipeline: PipelineConfig) -> None:
        for material, config in pipeline.materials.items():
            place = ("pipelines", name, "materials", material)
            if not config.pipeline or not config.stage:
                continue
            upstream = self.pipelines.get(config.pipeline)
            if not upstream or config.stage not in upstream.stage_configs:
                raise problem_at(place, f"unknown pipeline or stage '{config.pipeline}/{config.stage}'")
            if name in self._ancestors(config.pipeline, set()):
                raise problem_at(place, f"'{name}' would wait for itself through '{config.pipeline}'")

    def _ancestors(self, name: str, seen: set[str]) -> set[str]:
        """`name` and all pipelines that it depends on."""
        if name not in seen and name in self.pipelines:
            seen.add(name)
            for config in self.pipelines[name].materials.values():
                if config.pipeline:
                    self._ancestors(config.pipeline, seen)
        return seen

    def _check_fetch(self, name: str, stage: str, fetch: Fetch, place: tuple[str | int, ...]) -> None:
        reachable = self._reachable_stages(name, stage, fetch.pipeline or name)
        if fetch.stage not in reachable:
            raise problem_at(
                place,
                f"unknown source '{fetch.pipeline or name}/{fetch.stage}': expected an earlier stage of this pipeline"
                f" or one that a material has waited for",
            )
        if fetch.job not in reachable[fetch.stage].jobs:
            raise problem_at(place, f"unknown job '{fetch.job}' in stage '{fetch.stage}'")

    def _reachable_stages(self, name: str, stage: str, source: str) -> dict[str, StageConfig]:
        """The stages of `source` that have run when `stage` of pipeline `name` runs."""
        if source == name:
            return self._until(name, stage, inclusive=False)
        for config in self.pipelines[name].materials.values():
            if config.pipeline == source and config.stage:
                return self._until(source, config.stage, inclusive=True)
        return {}

    def _until(self, name: str, stage: str, inclusive: bool) -> dict[str, StageConfig]:
        stages = self.pipelines[name].stage_configs
        end = list(stages).index(stage) + inclusive
        return dict(list(stages.items())[:end])

    def job(self, pipeline: str, stage: str, job: str) -> JobConfig | None:
        """None when there is no such job, as for one of the history that is no longer configured."""
        config = self.pipelines.get(pipeline)
        stage_config = config.stage_configs.get(stage) if config else None
        return stage_config.jobs.get(job) if stage_config else None

    def downstream(self, pipeline: str, stage: str) -> list[str]:
        return [
            name
            for name, config in self.pipelines.items()
            if any(it.pipeline == pipeline and it.stage == stage for it in config.materials.values())
        ]


def load_pipelines(path: Path) -> Pipelines:
    """Raises Refused with `file:line: name: what is wrong`."""
    _refuse_ambiguous_keys(path)
    return load_yaml(path, Pipelines)


def _refuse_ambiguous_keys(path: Path) -> None:
    """Raises Refused for merge keys, which GoCD's YAML plugin has not, and for a key that comes twice in a mapping."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return  # load_yaml says it better
    for mapping in _mappings(root, set()):
        seen: set[str] = set()
        for key, _ in mapping.value:
            text = key.value if isinstance(key, ScalarNode) else ""
            where = f"{path}:{key.start_mark.line + 1}: {text}"
            if text == "<<":
                raise Refused(f"{where}: expected plain aliases, found a merge key: GoCD's YAML plugin does not merge")
            if text in seen:
                raise Refused(f"{where}: expected each key once, found it twice in one mapping")
            seen.add(text)


def _mappings(node: Node | None, seen: set[int]) -> Iterator[MappingNode]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value, seen)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)

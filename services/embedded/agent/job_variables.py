"""The environment variables that GoCD gives to a job, in GoCD's order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.embedded.agent.job_assignment import JobAssignment
from services.embedded.records.catalog import Catalog, Package, Property
from services.embedded.records.history import Cause
from services.embedded.scheduling.causes import LABEL, PACKAGE

HIDDEN = "********"


@dataclass(frozen=True)
class Variable:
    name: str
    value: str
    secure: bool = False

    @property
    def shown(self) -> str:
        return HIDDEN if self.secure else self.value


def job_variables(assignment: JobAssignment, catalog: Catalog, server_url: str) -> list[Variable]:
    """In GoCD's order; a name that comes twice keeps its first place and has its last value."""
    variables: dict[str, Variable] = {}
    for variable in _all(assignment, catalog, server_url):
        variables[variable.name] = variable
    return list(variables.values())


def _all(assignment: JobAssignment, catalog: Catalog, server_url: str) -> Iterator[Variable]:
    yield Variable("GO_SERVER_URL", server_url)
    yield Variable("GO_PIPELINE_GROUP_NAME", assignment.pipeline_config.group)
    yield Variable("GO_AGENT_RESOURCES", assignment.config.agent)
    yield Variable("GO_TRIGGER_USER", assignment.stage.approved_by)
    yield Variable("GO_PIPELINE_NAME", assignment.instance.pipeline)
    yield Variable("GO_PIPELINE_COUNTER", str(assignment.instance.counter))
    yield Variable("GO_PIPELINE_LABEL", assignment.instance.label)
    yield Variable("GO_STAGE_NAME", assignment.stage.name)
    yield Variable("GO_STAGE_COUNTER", str(assignment.stage.counter))
    yield Variable("GO_JOB_NAME", assignment.run.name)
    for cause in assignment.causes:
        yield from _material(assignment, cause, catalog)
    for configured in (assignment.pipeline_config, assignment.stage_config, assignment.config):
        for name, value in configured.environment_variables.items():
            yield Variable(name, value)


def _material(assignment: JobAssignment, cause: Cause, catalog: Catalog) -> Iterator[Variable]:
    if cause.type == PACKAGE:
        configured = assignment.pipeline_config.materials.get(cause.material)
        package = catalog.package(configured.package or "") if configured else None
        yield from _package(cause, package)
    else:
        newest = cause.modifications[0]
        yield Variable(_name("GO_DEPENDENCY_LABEL", cause.material), newest.data[LABEL])
        yield Variable(_name("GO_DEPENDENCY_LOCATOR", cause.material), newest.revision)
    yield Variable(_name("GO_MATERIAL", cause.material, "HAS_CHANGED"), str(cause.changed).lower())


def _package(cause: Cause, package: Package | None) -> Iterator[Variable]:
    newest = cause.modifications[0]
    yield Variable(_name("GO_PACKAGE", cause.material, "LABEL"), newest.revision)
    if package:
        yield from _configured("GO_REPO", cause.material, package.repository.properties)
        yield from _configured("GO_PACKAGE", cause.material, package.properties)
    for key, value in newest.data.items():
        yield Variable(_name("GO_PACKAGE", cause.material, key), value)


def _configured(prefix: str, material: str, properties: tuple[Property, ...]) -> Iterator[Variable]:
    for it in properties:
        if it.value:
            yield Variable(_name(prefix, material, it.key), it.value, it.secure)


def _name(*parts: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(parts)).upper()

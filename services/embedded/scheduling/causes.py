"""Build causes: the revision of each material that a new instance of a pipeline is built from."""

from collections.abc import Mapping
from itertools import takewhile

from services.embedded.clock import Clock, milliseconds
from services.embedded.pipelines.pipeline_config import MaterialConfig, PipelineConfig
from services.embedded.records.catalog import Catalog, dependency_fingerprint
from services.embedded.records.history import Cause, History, Instance
from services.embedded.records.modifications import Modification, Modifications

PACKAGE, PIPELINE = "Package", "Pipeline"
LABEL = "LABEL"
# A build cause lists all revisions that are new in it; nobody reads more than this many.
MOST_LISTED = 100


class Causes:
    def __init__(self, catalog: Catalog, modifications: Modifications, history: History, clock: Clock) -> None:
        self._catalog = catalog
        self._modifications = modifications
        self._history = history
        self._clock = clock

    def newest(
        self, pipeline: str, config: PipelineConfig, pinned: Mapping[str, str] | None = None
    ) -> list[Cause] | None:
        """A cause for each material: its newest revision, or the one that is `pinned` for its fingerprint.

        None while a material has no such revision.
        """
        causes = [self._cause(pipeline, name, material, pinned or {}) for name, material in config.materials.items()]
        found = [cause for cause in causes if cause]
        return found if len(found) == len(causes) else None

    def fingerprints(self, config: PipelineConfig) -> set[str]:
        return {found[0] for material in config.materials.values() if (found := self._identity(material))}

    def _cause(self, pipeline: str, name: str, material: MaterialConfig, pinned: Mapping[str, str]) -> Cause | None:
        identity = self._identity(material)
        if not identity:
            return None
        fingerprint, kind, description = identity
        used = self._history.newest_used(pipeline, fingerprint)
        if fingerprint in pinned:
            found = self._modifications.find(fingerprint, pinned[fingerprint])
            changed = found is not None and (used is None or _age(found) > _age(used))
            return Cause(name, fingerprint, kind, description, changed, (found,)) if found else None
        known = self._modifications.newest(fingerprint, MOST_LISTED)
        if not known:
            return None
        # Newer than the newest that was ever used: an instance that was pinned to an older one makes nothing new.
        fresh = tuple(takewhile(lambda it: _age(it) > _age(used), known)) if used else (known[0],)
        return Cause(name, fingerprint, kind, description, bool(fresh), fresh or (known[0],))

    def _identity(self, material: MaterialConfig) -> tuple[str, str, str] | None:
        """Fingerprint, type and description; None for a package that is not defined yet."""
        if material.pipeline and material.stage:
            return (
                dependency_fingerprint(material.pipeline, material.stage),
                PIPELINE,
                f"{material.pipeline} [ {material.stage} ]",
            )
        package = self._catalog.package(material.package or "")
        return (package.fingerprint, PACKAGE, package.description) if package else None

    def message(self, cause: Cause) -> str:
        newest = cause.modifications[0]
        if cause.type == PIPELINE:
            return f"triggered by {newest.revision}"
        return f"modified by {newest.user}"

    def record_passed(self, instance: Instance, stage: str, counter: int) -> None:
        """Adds `pipeline/counter/stage/stage counter` as a revision of the pipeline material of that stage."""
        passed = Modification(
            revision=f"{instance.pipeline}/{instance.counter}/{stage}/{counter}",
            user="Unknown",
            comment="Unknown",
            modified_at=milliseconds(self._clock.now()),
            data={LABEL: instance.label},
            upstream=instance.counter,
        )
        self._modifications.add(dependency_fingerprint(instance.pipeline, stage), passed)


def _age(modification: Modification) -> tuple[int, int]:
    """Greater for newer revisions. Of a pipeline material the upstream counter counts before the time of recording."""
    return modification.upstream, modification.id

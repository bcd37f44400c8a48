"""What a new instance of a pipeline would be built from."""

from itertools import takewhile

from services.embedded.catalog import Catalog, dependency_fingerprint
from services.embedded.clock import Clock, milliseconds
from services.embedded.history import Cause, History, Instance
from services.embedded.modifications import Modification, Modifications
from services.embedded.pipeline_config import MaterialConfig, PipelineConfig

PACKAGE, PIPELINE = "Package", "Pipeline"
LABEL = "LABEL"
# A build cause lists what is new since the last one; more than this is nothing that a person reads.
MOST_LISTED = 100


class Causes:
    def __init__(self, catalog: Catalog, modifications: Modifications, history: History, clock: Clock) -> None:
        self._catalog = catalog
        self._modifications = modifications
        self._history = history
        self._clock = clock

    def newest(self, pipeline: str, config: PipelineConfig) -> list[Cause] | None:
        """The newest revision of each material; None as long as one has none."""
        last = next(iter(self._history.instances(pipeline, 1)), None)
        used = {cause.fingerprint: cause.modifications[0] for cause in self._history.causes(last)} if last else {}
        causes = [self._cause(name, material, used) for name, material in config.materials.items()]
        found = [cause for cause in causes if cause]
        return found if len(found) == len(causes) else None

    def _cause(self, name: str, material: MaterialConfig, used: dict[str, Modification]) -> Cause | None:
        identity = self._identity(material)
        if not identity:
            return None
        fingerprint, kind, description = identity
        known = self._modifications.newest(fingerprint, MOST_LISTED)
        if not known:
            return None
        previous = used.get(fingerprint)
        fresh = tuple(takewhile(lambda it: it.id != previous.id, known)) if previous else (known[0],)
        return Cause(name, fingerprint, kind, description, bool(fresh), fresh or (known[0],))

    def _identity(self, material: MaterialConfig) -> tuple[str, str, str] | None:
        """Fingerprint, type and description; None for a package that is not defined yet."""
        if material.pipeline and material.stage:
            return dependency_fingerprint(material.pipeline, material.stage), PIPELINE, material.pipeline
        package = self._catalog.package(material.package or "")
        return (package.fingerprint, PACKAGE, package.description) if package else None

    def message(self, cause: Cause) -> str:
        newest = cause.modifications[0]
        if cause.type == PIPELINE:
            return f"triggered by {newest.revision}"
        return f"modified by {newest.user}"

    def record_passed(self, instance: Instance, stage: str, counter: int) -> None:
        """A passed stage is a revision of the material of those that wait for it."""
        passed = Modification(
            revision=f"{instance.pipeline}/{instance.counter}/{stage}/{counter}",
            user="Unknown",
            comment="Unknown",
            modified_at=milliseconds(self._clock.now()),
            data={LABEL: instance.label},
            upstream=instance.counter,
        )
        self._modifications.add(dependency_fingerprint(instance.pipeline, stage), passed)

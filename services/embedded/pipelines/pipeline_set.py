"""The pipelines that are in force: those of the server's file, and those of each config repo."""

from collections.abc import Iterable

from services.contract.errors import Refused
from services.embedded.pipelines.gocd_yaml import Pipelines

FILE = ""


class PipelineSet:
    """`current` is replaced as a whole and never changed, so whoever has read it sees one state."""

    def __init__(self, first: Pipelines | None) -> None:
        self._sources = {FILE: first} if first else {}
        self.current = merged(self._sources.values())

    def replace(self, source: str, pipelines: Pipelines | None) -> None:
        """Replaces the pipelines of one source; None is none. Raises Refused for a name that another source has."""
        sources = {name: known for name, known in self._sources.items() if name != source}
        if pipelines:
            sources[source] = pipelines
        self.current = merged(sources.values())
        self._sources = sources


def merged(sources: Iterable[Pipelines]) -> Pipelines:
    """The pipelines of all sources in one; each was checked by itself. Raises Refused for a name that comes twice."""
    all_of_them = [(name, config) for source in sources for name, config in source.pipelines.items()]
    names = [name for name, _ in all_of_them]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"You have defined multiple pipelines named '{twice[0]}'. Pipeline names must be unique.")
    return Pipelines.model_construct(format_version=10, pipelines=dict(all_of_them), common={})

"""The pipelines as they are now: those of the file that the server was given, and those of each config repo."""

from collections.abc import Iterable

from services.contract.errors import Refused
from services.embedded.pipelines.gocd_yaml import Pipelines

FILE = ""


class PipelineSet:
    """`current` never changes while somebody looks at it; the next one takes its place as a whole."""

    def __init__(self, first: Pipelines | None) -> None:
        self._sources = {FILE: first} if first else {}
        self.current = merged(self._sources.values())

    def replace(self, source: str, pipelines: Pipelines | None) -> None:
        """All the pipelines of one source. Raises Refused when another source has one of the same name."""
        sources = {name: known for name, known in self._sources.items() if name != source}
        if pipelines:
            sources[source] = pipelines
        self.current = merged(sources.values())
        self._sources = sources


def merged(sources: Iterable[Pipelines]) -> Pipelines:
    """Each was checked by itself, and none knows of another. Raises Refused when two have one of the same name."""
    all_of_them = [(name, config) for source in sources for name, config in source.pipelines.items()]
    names = [name for name, _ in all_of_them]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"You have defined multiple pipelines named '{twice[0]}'. Pipeline names must be unique.")
    return Pipelines.model_construct(format_version=10, pipelines=dict(all_of_them), common={})

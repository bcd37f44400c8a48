"""Images of releases on the container engine: which are to go, and which went."""

from services.contract.record import ModelName, Record, Sha256


class EngineImage(Record):
    """An image of a release; `bytes` are those of the release's own layer, 0 when others have a name for it too."""

    model: ModelName
    revision: str
    release: Sha256
    names: tuple[str, ...]
    bytes: int


class PruneImages(Record):
    """`gone` are releases that the store is about to lose, which a dry run counts as lost already."""

    gone: tuple[Sha256, ...] = ()
    dry_run: bool = False


class PrunedImages(Record):
    """What was removed, or with a dry run would be."""

    removed: tuple[EngineImage, ...]

"""Which machine images stay: those of the live and the previous release of a model, and of what is not live yet."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.deployment import ModelState
from services.contract.errors import Refused
from services.contract.machine_image import MachineImage
from services.contract.promotion import promotion_number
from services.contract.record import Record
from services.delivery.store import Store


class Removed(Record):
    """`what` it was, in words; `bytes` are those that the disk has again, as far as nothing else uses them."""

    what: str
    folder: str
    bytes: int


class Pruned(Record):
    """What `image --prune` did."""

    kept: tuple[str, ...]
    removed: tuple[Removed, ...]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.removed)


@dataclass(frozen=True)
class _Kept:
    """Of a model: the releases that stay, and the promotion number above which all do."""

    releases: frozenset[str]
    newer_than: int

    @classmethod
    def of(cls, state: ModelState) -> "_Kept":
        deployed = [one for one in (state.live, state.previous) if one]
        newest = state.live.number if state.live else 0
        return cls(frozenset(one.release for one in deployed), newest)

    def keeps(self, image: MachineImage) -> bool:
        return image.release in self.releases or promotion_number(image.revision) > self.newer_than


def prune(store: Store, state: Callable[[str], ModelState], recipes: Iterable[str]) -> Pruned:
    """Removes every other image, and bases that are of none of `recipes`; every model's state is known before.

    Raises Refused when a state cannot be had, and nothing is removed then.
    """
    images = {folder: _read(folder) for folder in store.machine_images()}
    rules = {model: _Kept.of(state(model)) for model in sorted({one.model for one in images.values() if one})}
    kept = [folder for folder, image in images.items() if image and rules[image.model].keeps(image)]
    gone = [(folder, _words(image)) for folder, image in images.items() if folder not in kept]
    wanted = set(recipes)
    gone += [(folder, "a base of an older recipe") for folder in store.machine_bases() if folder.name not in wanted]
    removed = tuple(Removed(what=words, folder=str(folder), bytes=remove(folder)) for folder, words in gone)
    return Pruned(kept=tuple(_words(images[folder]) for folder in kept), removed=removed)


def _read(folder: Path) -> MachineImage | None:
    """None when it is damaged: then it is of no use to anybody."""
    try:
        return MachineImage.read(folder / names.MACHINE_IMAGE_FILE)
    except Refused:
        return None


def _words(image: MachineImage | None) -> str:
    return f"{image.model} {image.revision}" if image else "a damaged image"


def remove(place: Path) -> int:
    """A folder or a file: the bytes that the disk has again; a file that is linked from elsewhere stays there."""
    freed = 0
    for file in sorted(path for path in (place, *place.rglob("*")) if path.is_file()):
        status = file.stat()
        freed += status.st_blocks * 512 if status.st_nlink == 1 else 0
        file.unlink()
    if place.is_dir():
        shutil.rmtree(place)
    return freed

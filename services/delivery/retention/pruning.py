"""Removes old releases, their images in the registry and on the engine, and what was cached on the way to them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from services.contract.deployment import ModelState
from services.contract.engine_images import PrunedImages, PruneImages
from services.contract.errors import Refused
from services.contract.record import Record
from services.contract.release import Image
from services.delivery.machine_image.prune import Removed, remove
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.retention.kept import Stored, kept
from services.delivery.store import Store

# What a candidate needs on its way is not in any release yet, and no promotion is on its way for longer.
UNUSED = timedelta(days=7)


class Housekeeping(Record):
    """What was removed, or with `dry_run` what would be; `notes` say what could not be."""

    dry_run: bool
    kept: tuple[str, ...]
    removed: tuple[Removed, ...]
    notes: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.removed)


@dataclass(frozen=True)
class Needs:
    """`state` and `newest` are of a model, by its name; `registry` is where release images are, None without any.
    `engine` removes those that the engine has pulled."""

    store: Store
    state: Callable[[str], ModelState]
    newest: Callable[[str], int]
    now: datetime
    registry: ImageRegistry | None = None
    engine: Callable[[PruneImages], PrunedImages] | None = None


def prune(needs: Needs, dry_run: bool) -> Housekeeping:
    """Every model's state is known before anything is removed. Raises Refused when one cannot be had."""
    stored = sorted((Stored(*one) for one in needs.store.releases()), key=lambda one: (one.manifest.model, one.number))
    wanted: set[str] = set()
    for model in sorted({one.manifest.model for one in stored}):
        ours = [one for one in stored if one.manifest.model == model]
        wanted |= kept(needs.store, ours, needs.state(model), needs.newest(model))
    staying = [one for one in stored if one.digest in wanted]
    going = [one for one in stored if one.digest not in wanted]
    notes = [] if dry_run else list(_remove_images(needs, going))
    found = [*_releases(needs.store, going), *_unused(needs, staying)]
    freed = _bytes if dry_run else partial(_take, needs.store)
    removed = [Removed(what=what, folder=str(path), bytes=freed(path)) for what, path in found]
    try:
        removed += _from_engine(needs, going, dry_run)
    except Refused as refused:
        notes.append(f"images of releases stay on the engine: {refused}")
    return Housekeeping(dry_run=dry_run, kept=tuple(map(str, staying)), removed=tuple(removed), notes=tuple(notes))


def _releases(store: Store, going: Sequence[Stored]) -> Iterator[tuple[str, Path]]:
    for one in going:
        # The record first: without it nothing starts the image, and without the folder nothing reads it.
        if (record := store.image_record(one.digest)).exists():
            yield f"the record of the image of {one}", record
        yield f"release {one}", store.release_folder(one.digest)


def _remove_images(needs: Needs, going: Sequence[Stored]) -> Iterator[str]:
    """From the registry, whose own garbage collection frees the bytes."""
    for one in going:
        record = needs.store.image_record(one.digest)
        if needs.registry and record.exists():
            image = Image.read(record)
            try:
                needs.registry.delete_manifest(image.repository, image.digest)
            except Refused as refused:
                yield f"the image of {one} stays in the registry: {refused}"


def _from_engine(needs: Needs, going: Sequence[Stored], dry_run: bool) -> list[Removed]:
    """After the store: the rollout service keeps each image of which that has a record."""
    if not needs.engine:
        return []
    done = needs.engine(PruneImages(gone=tuple(one.digest for one in going), dry_run=dry_run))
    return [
        Removed(what=f"the engine's image of {one.model} {one.revision}", folder=one.names[0], bytes=one.bytes)
        for one in done.removed
    ]


def _unused(needs: Needs, staying: Sequence[Stored]) -> Iterator[tuple[str, Path]]:
    candidates = [one.manifest.candidate for one in staying]
    wanted = {one.digest for one in candidates} | {one.run.row_hashes for one in candidates if one.run.row_hashes}
    before = (needs.now - UNUSED).timestamp()
    for what, path in needs.store.cached():
        # Of a file the digest is the first part of its name: `<model>-<hold-out>.json`.
        if path.name.partition(".")[0].partition("-")[0] not in wanted and path.stat().st_mtime < before:
            yield what, path


def _take(store: Store, path: Path) -> int:
    """Out of its place as a whole first: what is half removed never has the name of a release."""
    with store.staging() as staging:
        moved = path.rename(staging / path.name)
        return remove(moved)


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(status.st_blocks * 512 for file in files if (status := file.stat()).st_nlink == 1 and file.is_file())

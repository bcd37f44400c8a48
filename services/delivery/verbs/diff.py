"""diff: what differs between two releases of a model."""

import sys
from typing import Annotated

import typer

from services.contract.checkout import ROOT
from services.contract.comparison import Change
from services.contract.errors import Refused
from services.contract.record import ModelName, Record, Revision, Sha256
from services.contract.release import Release
from services.delivery.deltas.releases import release_changes
from services.delivery.history.words import plain
from services.delivery.output import emit
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.history import AsJson

# Of a digest that is nobody's to read, the beginning.
_LONGEST = 80


class Side(Record):
    revision: Revision
    release: Sha256


class Difference(Record):
    """From `before` to `after`; of each change, `live` is what `before` has and `candidate` what `after` has."""

    model: ModelName
    before: Side
    after: Side
    changes: tuple[Change, ...]


def diff(
    before: Annotated[str, typer.Argument(help="A revision, or the digest of a release or its start.")],
    after: Annotated[str, typer.Argument(help="Another one of the same model.")],
    as_json: AsJson = False,
) -> None:
    """Tell what differs between two releases: parameters, data, columns, code, libraries, metrics, form and image.

    Reads the store alone, and git where this checkout has both commits.
    Example: trackback diff 3-1f2e3d4c 4-5a6b7c8d
    """
    store = Store(Settings().store)
    found = difference(store.any_release(before), store.any_release(after))
    if as_json:
        emit(found)
    else:
        sys.stdout.writelines(f"{plain(line)}\n" for line in lines(found))


def difference(before: Release, after: Release) -> Difference:
    """Raises Refused for releases of two models."""
    models = before.manifest.model, after.manifest.model
    if models[0] != models[1]:
        raise Refused(f"expected two releases of one model, found one of {models[0]} and one of {models[1]}")
    sides = (Side(revision=one.manifest.revision, release=one.digest) for one in (before, after))
    return Difference(
        model=models[0],
        before=next(sides),
        after=next(sides),
        changes=release_changes(before, after, ROOT),
    )


def lines(found: Difference) -> list[str]:
    one, other = found.before, found.after
    head = f"{found.model}: {one.revision} (release {one.release[:12]}…) → {other.revision} ({other.release[:12]}…)"
    if not found.changes:
        return [head, "  nothing that was recorded differs"]
    return [
        head,
        *(f"  {one.kind:12} {one.name}: {_short(one.live)} → {_short(one.candidate)}" for one in found.changes),
    ]


def _short(text: str | None) -> str:
    if text is None:
        return "–"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

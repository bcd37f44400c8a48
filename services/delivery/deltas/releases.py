"""What differs between two releases: their runs, what was measured of them, and what answers for them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from services.contract.comparison import Change
from services.contract.release import Manifest, Release
from services.delivery.deltas.changes import changes


def release_changes(before: Release, after: Release, checkout: Path | None) -> tuple[Change, ...]:
    """As `changes`, in which `candidate` is `after` and `live` is `before`; also of kind `metric`, `served` and
    `image`."""
    ours, theirs = after.manifest, before.manifest
    return (
        *changes(ours.candidate.run, theirs.candidate.run, checkout),
        *_of("metric", _metrics(ours), _metrics(theirs)),
        *_of("served", _served(ours), _served(theirs)),
        *_of("image", _image(after), _image(before)),
    )


def _of(kind: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield Change(kind=kind, name=name, candidate=ours.get(name), live=theirs.get(name))


def _metrics(manifest: Manifest) -> dict[str, str]:
    """Those of the training job, and those that validate measured on the hold-out."""
    measured = {f"holdout/{name}": value for name, value in manifest.validation.metrics.items()}
    return {name: f"{value:.6g}" for name, value in {**manifest.candidate.run.metrics, **measured}.items()}


def _served(manifest: Manifest) -> dict[str, str]:
    form = manifest.servable.form
    size = sum(file.size for file in manifest.candidate.files)
    return {
        "model": manifest.candidate.digest,
        "library": manifest.library,
        "form": f"{form.runtime}, {form.file}" if form else "for batch only",
        "bytes": str(size),
        "limits": manifest.limits.to_json().replace("\n", "").replace('"', ""),
    }


def _image(release: Release) -> dict[str, str]:
    image = release.image
    return {"image": f"{image.repository}@{image.digest}", "base": image.base} if image else {}

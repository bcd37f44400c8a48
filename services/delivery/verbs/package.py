"""package: candidate and both verdicts become a release, identified by the digest of everything in it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.release import Manifest, Release
from services.contract.validation import Validation
from services.delivery.output import keep, say
from services.delivery.packaging.container_image import build_image
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.packaging.release_folder import ReleaseFolder
from services.delivery.reports.aliases import tell_candidate
from services.delivery.reports.ledger_notes import note_packaged
from services.delivery.reports.run_page import tell_release
from services.delivery.reports.withdrawn import refuse_withdrawn
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store

Connect = Callable[[str], ImageRegistry]


def package(
    candidate: Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")],
    validation: Annotated[Path, typer.Option(help="validation.json as validate wrote it.")],
    comparison: Annotated[Path, typer.Option(help="comparison.json as compare wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
) -> None:
    """Put model, manifest and golden predictions into the store as a release; write release.json.

    Where there is a registry, a release that can answer is pushed to it as a container image as well.
    Example: trackback package --candidate out/candidate.json --validation out/validation.json
    --comparison out/comparison.json --out out
    """
    settings = Settings()
    found = Candidate.read(candidate)
    verdicts = Validation.read(validation), Comparison.read(comparison)
    for verdict in verdicts:
        refuse_unless_passed(found, verdict)
    refuse_withdrawn(settings, found)
    config = load_model_config(settings.models, found.promotion.model)
    release = packaged(Scorer.of(settings, config), found, *verdicts)
    for note in release.manifest.servable.notes:
        say(note)
    online = "" if release.manifest.servable.form else ", for batch only"
    kept = f"as release {release.digest[:12]}…" if found.promoted else f"for a {found.purpose}, and kept no release"
    say(f"packaged {config.name} {found.promotion.label} {kept}{online}")
    keep(with_image(settings, release), out, names.RELEASE_FILE)
    tell_release(settings, release)
    tell_candidate(settings, release)
    note_packaged(settings, release)


def refuse_unless_passed(candidate: Candidate, verdict: Validation | Comparison) -> None:
    kind = type(verdict).__name__.lower()
    if (verdict.candidate, verdict.revision) != (candidate.digest, candidate.promotion.label):
        raise Refused(
            f"expected the {kind} of {candidate.promotion.label} ({candidate.digest[:12]}…), "
            f"found that of {verdict.revision} ({verdict.candidate[:12]}…)"
        )
    if not verdict.passes:
        raise Refused(f"expected a {kind} that passed, found {verdict.verdict}: nothing is packaged without it")


def packaged(scorer: Scorer, candidate: Candidate, validation: Validation, comparison: Comparison) -> Release:
    """The release in the store: one for a promotion, however often its stages run; it answers in the form that
    validate chose. That of a preview or a rehearsal is built in the same way and is gone afterwards, so that nothing
    can deploy it or take it for a promotion's.

    Raises Refused when the candidate's files or answers, or its form, are not there.
    """
    store, label = scorer.store, candidate.promotion.label
    if candidate.promoted and (known := store.packaged(candidate)):
        say(f"{label} was packaged before and stays that release; to build another, promote the run again")
        return _stored(store, known)
    servable, graph = store.form(candidate)
    with store.staging() as staging:
        parts = _parts(scorer, candidate, graph)
        parts.copy_model(staging / "release")
        folder = parts.write(staging / "release", servable, (validation, comparison))
        if not candidate.promoted:
            return _read(folder, digest_directory(folder))
        built = store.put_release(folder)
    return _stored(store, store.put_packaged(candidate, built))


def _parts(scorer: Scorer, candidate: Candidate, graph: bytes | None) -> ReleaseFolder:
    model, holdout = scorer.store.model(candidate.digest), scorer.holdout(candidate.run.holdout.sha256)
    request = HoldoutRequest(candidate.library, model, candidate.digest, candidate.run.holdout.sha256)
    return ReleaseFolder(scorer.config, candidate, model, holdout, scorer.score(request, holdout), graph)


def _stored(store: Store, digest: str) -> Release:
    return _read(store.release(digest), digest)


def _read(folder: Path, digest: str) -> Release:
    return Release(digest=digest, manifest=Manifest.read(folder / names.MANIFEST_FILE))


def with_image(settings: Settings, release: Release, connect: Connect = ImageRegistry) -> Release:
    """The release and, where there is a registry and it can answer, its image; recorded in the store."""
    manifest = release.manifest
    if settings.registry_url is None or manifest.servable.form is None or not manifest.candidate.promoted:
        return release
    store, began = Store(settings.store), time.monotonic()
    folder = store.release(release.digest)
    with store.staging() as staging, connect(settings.registry_url) as registry:
        built = build_image(registry, release, folder, settings.base_tag, staging)
    store.put_image(built.image)
    known = "was there already" if built.known else f"pushed in {time.monotonic() - began:.1f} s"
    say(f"image {built.image.repository}@{built.image.digest}: {known}, {built.layer_bytes:,} bytes on its base")
    return release.model_copy(update={"image": built.image})

"""package: candidate and both verdicts become a release, identified by the digest of everything in it."""

import hashlib
import shutil
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.release import Golden, Manifest, Release
from services.contract.verdict import Comparison, Validation, Verdict
from services.delivery.holdout import read_holdout
from services.delivery.output import keep, say
from services.delivery.scoring import Question, score
from services.delivery.settings import Settings
from services.delivery.store import Store

GOLDEN_ROWS = 64


def package(
    candidate: Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")],
    validation: Annotated[Path, typer.Option(help="validation.json as validate wrote it.")],
    comparison: Annotated[Path, typer.Option(help="comparison.json as compare wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
) -> None:
    """Put model, manifest and golden predictions into the store as a release; write release.json.

    Example: trackback package --candidate out/candidate.json --validation out/validation.json
    --comparison out/comparison.json --out out
    """
    settings = Settings()
    found = Candidate.read(candidate)
    verdicts = Validation.read(validation), Comparison.read(comparison)
    for verdict in verdicts:
        refuse_unless_passed(found, verdict)
    config = load_model_config(settings.trackback_models, found.promotion.model)
    release = packaged(Store(settings.trackback_store), found, config, *verdicts)
    say(f"packaged {config.name} {found.promotion.label} as release {release.digest[:12]}…")
    keep(release, out, names.RELEASE_FILE)


def refuse_unless_passed(candidate: Candidate, verdict: Validation | Comparison) -> None:
    kind = type(verdict).__name__.lower()
    if (verdict.candidate, verdict.revision) != (candidate.digest, candidate.promotion.label):
        raise Refused(
            f"expected the {kind} of {candidate.promotion.label} ({candidate.digest[:12]}…), "
            f"found that of {verdict.revision} ({verdict.candidate[:12]}…)"
        )
    if verdict.verdict is not Verdict.PASS:
        raise Refused(f"expected a {kind} that passed, found {verdict.verdict}: nothing is packaged without it")


def packaged(
    store: Store, candidate: Candidate, config: ModelConfig, validation: Validation, comparison: Comparison
) -> Release:
    golden = _golden(store, candidate, config).to_json().encode()
    manifest = Manifest(
        model=config.name,
        revision=candidate.promotion.label,
        description=config.description,
        library=candidate.library,
        unit=config.data.unit,
        inputs=config.inputs,
        limits=config.serving,
        golden=hashlib.sha256(golden).hexdigest(),
        candidate=candidate,
        validation=validation,
        comparison=comparison,
    )
    with store.staging() as staging:
        folder = staging / "release"
        shutil.copytree(store.model(candidate.digest), folder / names.MODEL_FOLDER)
        (folder / names.GOLDEN_FILE).write_bytes(golden)
        manifest.write(folder / names.MANIFEST_FILE)
        return Release(digest=store.put_release(folder), manifest=manifest)


def _golden(store: Store, candidate: Candidate, config: ModelConfig) -> Golden:
    """Hold-out rows spread evenly over the file, with the library's own answers."""
    sha256 = candidate.run.holdout.sha256
    holdout = read_holdout(store.holdout(sha256), config.data)
    question = Question(candidate.library, store.model(candidate.digest), candidate.digest, sha256)
    predictions = score(store, question, holdout).predictions
    step = max(1, len(holdout.rows) // GOLDEN_ROWS)
    chosen = range(0, len(holdout.rows), step)[:GOLDEN_ROWS]
    return Golden(
        columns=tuple(config.data.columns),
        rows=tuple(tuple(holdout.rows[index]) for index in chosen),
        predictions=tuple(predictions[index] for index in chosen),
    )

"""fetch: bring the promoted model and its hold-out here, and prove that they are the logged ones."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from services.contract import names
from services.contract.candidate import Candidate, PipelineRef, Purpose
from services.contract.digest import list_files
from services.contract.errors import Refused
from services.contract.promotion import Promotion
from services.contract.record import from_environment
from services.delivery.clients.registry import PATIENCE, Registry, check_model_digest, run_facts
from services.delivery.output import keep, say
from services.delivery.reports.ledger_notes import note_promoted, note_unfit
from services.delivery.settings import Settings
from services.delivery.store import Store

OutFolder = Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")]


def fetch(out: OutFolder = None) -> None:
    """Download the model that GO_PACKAGE_MODEL_* names, check its digest, write candidate.json.

    Example: trackback fetch --out out   (in a pipeline, or with the variables of docs/operations.md set)
    """
    settings = Settings()
    promotion, pipeline, purpose = Promotion.from_environment(os.environ), _pipeline(), _purpose()
    try:
        candidate = fetched(settings, promotion, pipeline, purpose)
    except Refused as refused:
        if purpose is Purpose.PROMOTION:
            note_unfit(settings, promotion, pipeline, str(refused))
        raise
    note_promoted(settings, candidate)
    say(f"fetched {candidate.promotion.model} {candidate.promotion.label}: digest {candidate.digest[:12]}…")
    keep(candidate, out, names.CANDIDATE_FILE)


def _pipeline() -> PipelineRef | None:
    found = from_environment(os.environ, "GO_PIPELINE_")
    if "counter" not in found:
        return None
    return PipelineRef(name=found["name"], counter=int(found["counter"]), label=found["label"])


def _purpose() -> Purpose:
    """By the tag that the package waits for, which GoCD exports with the promotion."""
    preview = os.environ.get(f"{names.PACKAGE_PREFIX}TAG") == names.PREVIEW_TAG
    return Purpose.PREVIEW if preview else Purpose.PROMOTION


def fetched(
    settings: Settings, promotion: Promotion, pipeline: PipelineRef | None, purpose: Purpose = Purpose.PROMOTION
) -> Candidate:
    """Raises Refused, and nothing half-done stays, when the run cannot be delivered."""
    _refuse_unfit(promotion)
    with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization, PATIENCE) as registry:
        found = _fetched(registry, Store(settings.store), promotion, pipeline)
    return found.model_copy(update={"purpose": purpose})


def _fetched(registry: Registry, store: Store, promotion: Promotion, pipeline: PipelineRef | None) -> Candidate:
    run = registry.run(promotion.run_id)
    if run.info.lifecycle_stage != "active":
        raise Refused(f"expected an active run, found {promotion.run_id} deleted: restore it or promote another")
    with store.staging() as staging:
        facts = run_facts(run, registry.provenance(run, staging / "provenance"))
        folder = registry.download_model(str(promotion.model_id), staging / "model")
        check_model_digest(run, folder)
        holdout = registry.download_artifact(run, names.HOLDOUT_ARTIFACT, staging / "holdout")
        store.put_holdout(holdout, facts.holdout.sha256)
        if facts.row_hashes:
            hashes = registry.download_artifact(run, names.ROW_HASHES_ARTIFACT, staging / "rows")
            store.put_row_hashes(hashes, facts.row_hashes)
        files, library = list_files(folder), library_of(folder)
        digest = store.put_model(folder)
    return Candidate(promotion=promotion, run=facts, pipeline=pipeline, library=library, digest=digest, files=files)


def _refuse_unfit(promotion: Promotion) -> None:
    if promotion.run_status != "FINISHED":
        raise Refused(f"expected a finished run, found {promotion.run_id} {promotion.run_status}: promote another")
    if promotion.model_id is None:
        raise Refused(
            f"expected a run that logged a model named '{names.LOGGED_MODEL_NAME}', found none in {promotion.run_id}"
        )


def library_of(folder: Path) -> str:
    """The library that asks an MLflow model folder: its native flavor, unless it brings its own environment.

    Raises Refused when its MLmodel names files outside of it.
    """
    flavors = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8")).get("flavors", {})
    for where, text in _texts(flavors, "flavors"):
        if text.startswith("/") or ".." in Path(text).parts:
            raise Refused(f"expected MLmodel to name files of its own folder, found {where}: {text!r}")
    if (folder / names.LOCK_FILE).is_file():
        return names.OWN_ENVIRONMENT
    native = sorted(set(flavors) - {"python_function"})
    if len(native) != 1:
        raise Refused(f"expected one native flavor in MLmodel, found {native or 'none'}")
    return str(native[0])


def _texts(content: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every string in parsed YAML, with the names on the way to it."""
    if isinstance(content, str):
        yield where, content
    parts = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in parts:
        yield from _texts(value, f"{where}.{key}")

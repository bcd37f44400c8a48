"""package: candidate and both verdicts become a release, identified by the digest of everything in it."""

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Form, Golden, Manifest, Release, Servable
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.delivery.output import keep, say
from services.delivery.packaging.container_image import build_image
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.packaging.servable import Ask, ExpectedAnswers, ask_service, choose
from services.delivery.reports.run_page import tell_release
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store

Connect = Callable[[str], ImageRegistry]

GOLDEN_ROWS = 64
# Another machine's arithmetic may round its last digits otherwise.
GOLDEN_TOLERANCE = 1e-9


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
    config = load_model_config(settings.models, found.promotion.model)
    release = packaged(Scorer.of(settings, config), found, *verdicts, _ask(settings))
    for note in release.manifest.servable.notes:
        say(note)
    online = "" if release.manifest.servable.form else ", for batch only"
    say(f"packaged {config.name} {found.promotion.label} as release {release.digest[:12]}…{online}")
    keep(with_image(settings, release), out, names.RELEASE_FILE)
    tell_release(settings, release)


def _ask(settings: Settings) -> Ask:
    return ask_service(settings.environments, containers=settings.registry_url is not None)


def refuse_unless_passed(candidate: Candidate, verdict: Validation | Comparison) -> None:
    kind = type(verdict).__name__.lower()
    if (verdict.candidate, verdict.revision) != (candidate.digest, candidate.promotion.label):
        raise Refused(
            f"expected the {kind} of {candidate.promotion.label} ({candidate.digest[:12]}…), "
            f"found that of {verdict.revision} ({verdict.candidate[:12]}…)"
        )
    if verdict.verdict is not Verdict.PASS:
        raise Refused(f"expected a {kind} that passed, found {verdict.verdict}: nothing is packaged without it")


def packaged(scorer: Scorer, candidate: Candidate, validation: Validation, comparison: Comparison, ask: Ask) -> Release:
    """The release in the store: one for a promotion, however often its stages run.

    Raises Refused when the candidate's files or answers are not there.
    """
    store, label = scorer.store, candidate.promotion.label
    if known := store.packaged(candidate):
        say(f"{label} was packaged before and stays that release; to build another, promote the run again")
        return _stored(store, known)
    packing = _Packing(scorer, candidate, validation, comparison)
    with store.staging() as staging:
        forms = scorer.forms(packing.request, staging)
        packing.copy(staging)
        servable = choose(forms, packing.expected(), partial(packing.write, staging), ask, say)
        built = store.put_release(packing.write(staging, servable))
    return _stored(store, store.put_packaged(candidate, built))


def _stored(store: Store, digest: str) -> Release:
    return Release(digest=digest, manifest=Manifest.read(store.release(digest) / names.MANIFEST_FILE))


def with_image(settings: Settings, release: Release, connect: Connect = ImageRegistry) -> Release:
    """The release and, where there is a registry and it can answer, its image; recorded in the store."""
    if settings.registry_url is None or release.manifest.servable.form is None:
        return release
    store, began = Store(settings.store), time.monotonic()
    folder = store.release(release.digest)
    with store.staging() as staging, connect(settings.registry_url) as registry:
        built = build_image(registry, release, folder, settings.base_tag, staging)
    store.put_image(built.image)
    known = "was there already" if built.known else f"pushed in {time.monotonic() - began:.1f} s"
    say(f"image {built.image.repository}@{built.image.digest}: {known}, {built.layer_bytes:,} bytes on its base")
    return release.model_copy(update={"image": built.image})


class _Packing:
    def __init__(self, scorer: Scorer, candidate: Candidate, validation: Validation, comparison: Comparison) -> None:
        self._config, self._candidate = scorer.config, candidate
        self._verdicts = validation, comparison
        model, holdout = candidate.digest, candidate.run.holdout.sha256
        self.request = HoldoutRequest(candidate.library, scorer.store.model(model), model, holdout)
        self._holdout = scorer.holdout(holdout)
        self._scores = scorer.score(self.request, self._holdout)

    def expected(self) -> ExpectedAnswers:
        rows = [*self._holdout.rows, *self._holdout.edges]
        expected = [*self._scores.predictions, *self._scores.finite_edges]
        return ExpectedAnswers(rows, expected, len(self._holdout.edges), self._config.gates.latency_p99_ms)

    def copy(self, staging: Path) -> None:
        shutil.copytree(self.request.folder, staging / "release" / names.MODEL_FOLDER)

    def write(self, staging: Path, servable: Servable) -> Path:
        """Everything but the model as MLflow stored it, in place of what an earlier form needed."""
        folder = staging / "release"
        shutil.rmtree(folder / names.SERVABLE_FOLDER, ignore_errors=True)
        if servable.form and servable.form.file.startswith(f"{names.SERVABLE_FOLDER}/"):
            (folder / names.SERVABLE_FOLDER).mkdir()
            shutil.copy(staging / Path(servable.form.file).name, folder / servable.form.file)
        golden = self._golden(servable.form).to_json().encode()
        (folder / names.GOLDEN_FILE).write_bytes(golden)
        self._manifest(servable, hashlib.sha256(golden).hexdigest()).write(folder / names.MANIFEST_FILE)
        return folder

    def _golden(self, form: Form | None) -> Golden:
        """Rows at the edge, and hold-out rows spread evenly over the file, with the library's own answers."""
        edges = zip(self._holdout.edges, self._scores.finite_edges, strict=True)
        chosen = [(row, answer) for row, answer in edges if answer is not None][: GOLDEN_ROWS // 2]
        known, left = self._known, GOLDEN_ROWS - len(chosen)
        chosen += [(self._holdout.rows[place], known[place]) for place in spread(list(known), left)]
        return Golden(
            columns=tuple(self._config.data.columns),
            rows=tuple(tuple(map(_or_null, row)) for row, _ in chosen),
            predictions=tuple(answer for _, answer in chosen),
            tolerance=max(GOLDEN_TOLERANCE, form.tolerance if form else 0.0),
        )

    @property
    def _known(self) -> dict[int, Prediction]:
        """The answers by their places; of a classifier those with the probabilities of all classes."""
        answers = dict(enumerate(self._scores.finite))
        return {
            place: one for place, one in answers.items() if isinstance(one, Labelled) and one.probabilities
        } or answers

    def _manifest(self, servable: Servable, golden: str) -> Manifest:
        config, candidate = self._config, self._candidate
        validation, comparison = self._verdicts
        return Manifest(
            model=config.name,
            revision=candidate.promotion.label,
            description=config.description,
            library=candidate.library,
            task=config.task,
            unit=config.data.unit,
            servable=servable,
            inputs=config.inputs,
            classes=self._scores.classes,
            limits=config.serving,
            golden=golden,
            candidate=candidate,
            validation=validation.without_moments(),
            comparison=comparison,
        )


def spread(places: Sequence[int], most: int) -> Sequence[int]:
    return places[:: max(1, len(places) // most)][:most]


def _or_null(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value

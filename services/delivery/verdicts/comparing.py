"""The candidate beside the release that answers, both asked the same rows of the hold-out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.release import Manifest
from services.delivery.deltas.costs import Measure, measure_nothing
from services.delivery.deltas.verdict import Sides, beside_live, not_compared, the_first
from services.delivery.gates.same_rows import as_live_sees_it, finite_answers
from services.delivery.reports.evidence import Evidence
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.scoring import HoldoutRequest, Scorer


@dataclass(frozen=True)
class Compared:
    """The verdict, and what was answered, for the report."""

    comparison: Comparison
    evidence: Evidence


def compared(
    scorer: Scorer, candidate: Candidate, live: Deployment | None, measure: Measure = measure_nothing
) -> Comparison:
    return compare_answers(scorer, candidate, live, measure).comparison


def compare_answers(
    scorer: Scorer, candidate: Candidate, live: Deployment | None, measure: Measure = measure_nothing
) -> Compared:
    """Inconclusive when one of both does not answer every row; `live` None means that nothing answers yet.

    `measure` runs in a thread while the answers are compared.

    Raises Refused when hold-out or candidate are not in the store as they were fetched, or it brings other code.
    """
    holdout, folder = scorer.holdout(candidate.run.holdout.sha256), scorer.store.model(candidate.digest)
    scorer.refuse_other_code(folder)
    sides = Sides(scorer.config, candidate, live, holdout, scorer.train_py and scorer.train_py.parent)

    def with_evidence(
        comparison: Comparison, ours: list[Prediction] | None = None, theirs: list[Prediction] | None = None
    ) -> Compared:
        return Compared(comparison, Evidence.of(scorer.config, holdout, ours, theirs))

    try:
        ours = finite_answers(scorer, _request(candidate, folder, candidate), holdout)
    except Refused as refused:
        return with_evidence(not_compared(sides, f"the candidate does not answer the hold-out: {refused}"))
    if live is None:
        return with_evidence(the_first(sides, ours), ours)
    try:
        manifest, theirs = _of_live(scorer, live, candidate, holdout)
    except Refused as refused:
        said = f"live {live.revision} does not answer the hold-out: {refused}"
        return with_evidence(not_compared(sides, said), ours)
    with ThreadPoolExecutor(max_workers=1) as pool:
        comparison = beside_live(sides, manifest, ours, theirs, pool.submit(measure, live).result)
    return with_evidence(comparison, ours, theirs)


def _of_live(
    scorer: Scorer, live: Deployment, candidate: Candidate, holdout: Holdout
) -> tuple[Manifest, list[Prediction]]:
    """From its own release, by the columns that it was trained with."""
    folder = scorer.store.release(live.release)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    config, seen = as_live_sees_it(scorer.config, manifest, holdout)
    request = _request(manifest.candidate, folder / names.MODEL_FOLDER, candidate)
    return manifest, finite_answers(replace(scorer, config=config), request, seen)


def _request(model: Candidate, folder: Path, candidate: Candidate) -> HoldoutRequest:
    """Of the candidate's hold-out, whichever model is asked."""
    return HoldoutRequest(model.library, folder, model.digest, candidate.run.holdout.sha256)

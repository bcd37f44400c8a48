"""What candidate and live release take in the forms that answer, for the comparison to tell."""

from services.contract.candidate import Candidate
from services.contract.deployment import Deployment
from services.delivery.deltas.costs import MEMORY, P50, P99, Measure, Taken
from services.delivery.packaging.beside_live import Beside
from services.delivery.packaging.beside_live import Taken as Measured
from services.delivery.packaging.servable import Ask
from services.delivery.scoring.scoring import HoldoutRequest, Scorer


def taken_beside_live(scorer: Scorer, candidate: Candidate, ask: Ask) -> Measure:
    """Nothing where one of both cannot be asked: what a comparison decides does not depend on it."""

    def measure(live: Deployment) -> tuple[Taken, Taken] | None:
        holdout = scorer.holdout(candidate.run.holdout.sha256)
        model = scorer.store.model(candidate.digest)
        request = HoldoutRequest(candidate.library, model, candidate.digest, candidate.run.holdout.sha256)
        found = Beside(scorer, candidate, ask).measure(holdout, scorer.score(request, holdout), live.release)
        return (_named(found[0]), _named(found[1])) if found else None

    return measure


def _named(found: Measured) -> Taken:
    return {MEMORY: float(found.memory_bytes), P50: found.p50_ms, P99: found.p99_ms}

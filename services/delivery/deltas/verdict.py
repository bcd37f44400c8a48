"""The comparison of a candidate with what is live, from the answers of both to the same rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from services.contract.candidate import Candidate
from services.contract.comparison import MODEL_SIZE, Comparison, Live
from services.contract.deployment import Deployment
from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.record import Sha256
from services.contract.release import Manifest
from services.contract.verdict import Check, Verdict, overall
from services.delivery.deltas.answered import Answered, rightness
from services.delivery.deltas.changes import changes
from services.delivery.deltas.costs import Taken, costs
from services.delivery.deltas.flips import flips
from services.delivery.deltas.shift import shift
from services.delivery.deltas.significance import significance
from services.delivery.deltas.warnings import too_small, warnings
from services.delivery.gates.checks import check, switched, undecided
from services.delivery.gates.comparison_words import sentence
from services.delivery.gates.looks import metrics_of, value_of
from services.delivery.gates.non_inferiority import ALL_ROWS, checks, decides, differences
from services.delivery.scoring.holdout import Holdout
from services.delivery.statistics.groups import everything, slices_of
from services.delivery.statistics.intervals import paired

_EXPECTED = "answers of both models to the same rows"

Waits = Callable[[], tuple[Taken, Taken] | None]


@dataclass(frozen=True)
class Sides:
    """Who is compared on which rows; `live` is None when nothing answers yet. `checkout` is a folder of the repository
    that may hold the commits of both."""

    config: ModelConfig
    candidate: Candidate
    live: Deployment | None
    holdout: Holdout
    checkout: Path | None


def not_compared(sides: Sides, why: str) -> Comparison:
    """Inconclusive, with what stood in the way."""
    return _comparison(sides, [undecided(ALL_ROWS, _EXPECTED, why)], f"cannot be compared: {why}")


def the_first(sides: Sides, ours: Sequence[Prediction]) -> Comparison:
    """Nothing is live that it could be worse than; `ours` are its answers, of shape (rows,)."""
    gate = sides.config.gates.compare
    value = value_of(gate.metric, sides.config.task, sides.holdout.actual, ours)
    if not isfinite(value):
        return not_compared(sides, f"{gate.metric} has no value on the hold-out")
    summary = f"nothing is live yet, so this is the first release; its {gate.metric} is {value:.4g}"
    first = check(ALL_ROWS, True, "no worse than live, if anything is", "nothing is live: this is the first release")
    return _comparison(sides, [first], summary, candidate_value=value)


def beside_live(
    sides: Sides, manifest: Manifest, ours: Sequence[Prediction], theirs: Sequence[Prediction], taken: Waits
) -> Comparison:
    """`manifest` is the live release's, `theirs` are its answers and `ours` the candidate's, of shape (rows,).

    `taken` waits for what both were seen to take, candidate first.
    """
    config, gate, holdout = sides.config, sides.config.gates.compare, sides.holdout
    sliced = slices_of(config, holdout.rows, holdout.actual)
    groups = [everything(holdout.rows), *(group for one in sliced for group in one.groups)]
    looks = paired(metrics_of(config), config.task, holdout.actual, ours, theirs, groups, gate.confidence)
    found = differences(looks, gate)
    if not decides(found, gate):
        return not_compared(sides, f"{gate.metric} has no value or no interval on the hold-out")
    whole = found[0]
    return _comparison(
        sides,
        checks(found, gate),
        sentence(found, gate, manifest.revision),
        live=_live(sides, manifest.candidate.digest),
        candidate_value=whole.candidate,
        live_value=whole.live,
        difference=whole.better_by,
        interval=(whole.low, whole.high),
        allowed=whole.allowed,
        differences=found,
        warnings=(*warnings(sides.candidate, config.data.unit, manifest), *too_small(sliced)),
        **_told(sides, manifest, ours, theirs),
        # The last, as it may have to be waited for.
        costs=costs(*_taken(sides.candidate, manifest.candidate, taken())),
    )


def _told(sides: Sides, manifest: Manifest, ours: Sequence[Prediction], theirs: Sequence[Prediction]) -> dict[str, Any]:
    """What decides nothing."""
    config, holdout, candidate = sides.config, sides.holdout, sides.candidate
    answered = Answered(config.task, tuple(config.data.columns), holdout.rows, holdout.actual, ours, theirs)
    right = rightness(answered)
    return {
        "test": significance(answered, right, config.gates.compare.metric),
        "flips": flips(answered, right),
        "shift": shift(answered),
        "changes": changes(candidate.run, manifest.candidate.run, sides.checkout),
    }


def _taken(candidate: Candidate, live: Candidate, measured: tuple[Taken, Taken] | None) -> Iterator[Taken]:
    for model, seen in zip((candidate, live), measured or ({}, {}), strict=True):
        yield {MODEL_SIZE: float(sum(file.size for file in model.files)), **seen}


def _live(sides: Sides, digest: Sha256 | None = None) -> Live | None:
    live = sides.live
    return Live(revision=live.revision, release=live.release, model_digest=digest) if live else None


def _comparison(sides: Sides, made: Sequence[Check], summary: str, **found: Any) -> Comparison:
    config, gate, counted = sides.config, sides.config.gates.compare, switched(made, sides.config.gates)
    off = "".join(f"; the gate {one.gate} is switched off: {one.off}" for one in counted if one.off)
    named = {
        "model": config.name,
        "revision": sides.candidate.promotion.label,
        "candidate": sides.candidate.digest,
        "holdout": sides.candidate.run.holdout,
        "live": _live(sides),
    }
    rule = {"metric": gate.metric, "confidence": gate.confidence, "margin": gate.margin}
    said = {"verdict": _verdict(counted), "summary": f"{summary}{off}", "checks": counted}
    none = dict.fromkeys(("candidate_value", "live_value", "difference", "interval", "allowed"))
    return Comparison.model_validate({**named, **rule, **said, **none, **found})


def _verdict(counted: Sequence[Check]) -> Verdict:
    """Where all gates are switched off, nothing stops it."""
    stopping = [one for one in counted if one.stops]
    return overall(stopping) if stopping else Verdict.PASS

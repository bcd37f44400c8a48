"""What compare found, in a sentence that a person understands."""

from collections.abc import Sequence

from services.contract.comparison import Difference
from services.contract.gates import CompareGate
from services.contract.verdict import Verdict
from services.delivery.gates.non_inferiority import better_or_worse, worse_slices

_MOST_NAMED = 3
_FOUND = {
    Verdict.PASS: "not worse than live",
    Verdict.FAIL: "worse than live",
    Verdict.INCONCLUSIVE: "cannot be told from worse than live",
}


def sentence(found: Sequence[Difference], gate: CompareGate, live: str) -> str:
    """Of what decides on all rows, the first in `found`, and of the slices that are worse; `live` is its revision."""
    whole = found[0]
    return (
        f"{_verdict(whole, gate)}{_of_slices(whole, found)}: {gate.metric} {whole.candidate:.4g}, "
        f"live {live} has {whole.live:.4g}; it is {better_or_worse(whole.low, whole.high)} with "
        f"{gate.confidence:.0%} confidence, at most {whole.allowed:.4g} worse is allowed"
    )


def _verdict(whole: Difference, gate: CompareGate) -> str:
    if whole.rows < gate.min_rows:
        return f"{whole.rows} rows are fewer than the {gate.min_rows} that the gate asks for"
    return _FOUND[whole.verdict]


def _of_slices(whole: Difference, found: Sequence[Difference]) -> str:
    """Empty when none is worse."""
    worse = [one.slice for one in worse_slices(found) if one.metric == whole.metric and one.slice]
    if not worse:
        return ""
    more = f" and {len(worse) - _MOST_NAMED} more" if len(worse) > _MOST_NAMED else ""
    beside = ", but" if whole.verdict is Verdict.PASS else ", and"
    return f"{beside} surely worse on {', '.join(worse[:_MOST_NAMED])}{more}"

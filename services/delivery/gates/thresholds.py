"""Whether the metrics of the hold-out are within the declared bounds, as surely as `gates.confidence` asks."""

from collections.abc import Mapping

from services.contract.gates import DEFAULT_THRESHOLDS, Threshold
from services.contract.model_config import ModelConfig
from services.contract.verdict import Check, Estimate, Verdict
from services.delivery.gates.bounds import expected, held_against, in_words, judged, what_would_decide
from services.delivery.gates.checks import undecided

GATE = "thresholds"


def metrics_of(config: ModelConfig) -> set[str]:
    """Those that have a bound, declared or by default."""
    return {*config.gates.thresholds, *DEFAULT_THRESHOLDS[config.task]}


def threshold_checks(found: Mapping[str, Estimate], config: ModelConfig) -> list[Check]:
    """`found` by metric; what is not in it could not be computed. Nobody asked for a bound that holds by default, so
    only what is surely beyond it stops."""
    declared = config.gates.thresholds
    checks = [_check(name, bounds, found.get(name)) for name, bounds in declared.items()]
    unsaid = {name: bounds for name, bounds in DEFAULT_THRESHOLDS[config.task].items() if name not in declared}
    return checks + [_by_default(_check(name, bounds, found.get(name))) for name, bounds in unsaid.items()]


def _check(name: str, bounds: Threshold, found: Estimate | None) -> Check:
    if found is None:
        return undecided(GATE, expected(bounds), "no value: the metric cannot be computed on these rows", name)
    verdict = judged(bounds, found)
    doubt = f"; {what_would_decide(bounds, found)}" if verdict is Verdict.INCONCLUSIVE else ""
    return Check(
        name=name,
        gate=GATE,
        verdict=verdict,
        expected=expected(bounds),
        found=f"{in_words(found)}{doubt}",
        estimate=held_against(bounds, found),
    )


def _by_default(check: Check) -> Check:
    verdict = Verdict.PASS if check.verdict is Verdict.INCONCLUSIVE and check.estimate else check.verdict
    expects = f"{check.expected}, by default"
    return check.model_copy(update={"verdict": verdict, "expected": expects})

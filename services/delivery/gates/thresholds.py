"""Whether the metrics of the hold-out are within the declared bounds."""

from collections.abc import Mapping

from services.contract.gates import Gates, Threshold
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided


def threshold_checks(metrics: Mapping[str, float], gates: Gates) -> list[Check]:
    return [_check(name, bounds, metrics.get(name)) for name, bounds in gates.thresholds.items()]


def _check(name: str, bounds: Threshold, value: float | None) -> Check:
    low, high = bounds.min, bounds.max
    expected = " and ".join(
        text for text in (low is not None and f"≥ {low:g}", high is not None and f"≤ {high:g}") if text
    )
    if value is None:
        return undecided("thresholds", expected, "not measured", name)
    passed = (low is None or value >= low) and (high is None or value <= high)
    return check("thresholds", passed, expected, f"{value:.6g}", name)

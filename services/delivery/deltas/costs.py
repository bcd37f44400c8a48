"""What a candidate takes beside the live model."""

from collections.abc import Mapping

from services.contract.comparison import MODEL_SIZE, Cost

# In the order in which they are told.
MEMORY, P50, P99 = "memory", "latency p50", "latency p99"
_UNITS = {MODEL_SIZE: "bytes", MEMORY: "bytes", P50: "ms", P99: "ms"}


def costs(candidate: Mapping[str, float], live: Mapping[str, float]) -> tuple[Cost, ...]:
    """By the names above, those that were measured of both."""
    return tuple(
        Cost(name=name, unit=unit, candidate=candidate[name], live=live[name])
        for name, unit in _UNITS.items()
        if name in candidate and name in live
    )

"""What a candidate takes beside the live model."""

from collections.abc import Callable, Mapping

from services.contract.comparison import MODEL_SIZE, Cost
from services.contract.deployment import Deployment

# In the order in which they are told.
MEMORY, P50, P99 = "memory", "latency p50", "latency p99"
_UNITS = {MODEL_SIZE: "bytes", MEMORY: "bytes", P50: "ms", P99: "ms"}

# What one model takes, by the names above.
Taken = Mapping[str, float]
# Asks the candidate and what is live; None where that cannot be done.
Measure = Callable[[Deployment], tuple[Taken, Taken] | None]


def measure_nothing(live: Deployment) -> None:  # noqa: ARG001  a Measure
    """Where nobody waits for figures of time and memory."""


def costs(candidate: Taken, live: Taken) -> tuple[Cost, ...]:
    """By the names above, those that were measured of both."""
    return tuple(
        Cost(name=name, unit=unit, candidate=candidate[name], live=live[name])
        for name, unit in _UNITS.items()
        if name in candidate and name in live
    )

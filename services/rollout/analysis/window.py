"""What both sides of a step did in the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.rollout.analysis.latencies import Latencies
from services.rollout.analysis.memory import Gained
from services.rollout.analysis.pace import Pace


@dataclass(frozen=True)
class Side:
    """The candidate's or the live release's: requests, `errors` of them answered by a 5xx or not at all, `refused` by a
    4xx; how many answers fell into each bin; restarts."""

    requests: int
    errors: int
    refused: int
    latencies: Latencies
    answers: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0


@dataclass(frozen=True)
class Window:
    """`compared` are shadowed requests of which both answers are known, `disagreed` those of them that differ; at each
    look the candidate had gained `memory`, and both were as fast as `paces` say."""

    candidate: Side
    live: Side
    compared: int = 0
    disagreed: int = 0
    memory: Sequence[Gained] = ()
    paces: Sequence[Pace] = ()

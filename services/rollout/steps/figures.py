"""What a serving process counts, read from its metrics in Prometheus' text format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.rollout.analysis.window import Latencies, Side

REQUESTS, SECONDS, ANSWERS = "trackback_requests_total", "trackback_request_seconds_bucket", "trackback_answers_total"
_SERVER_ERROR, _REFUSED = 500, 400
Key = TypeVar("Key", int, float, str)


@dataclass(frozen=True)
class Figures:
    """Since the process began: requests by status, by seconds up to each bound, and answers by bin."""

    statuses: Mapping[int, int] = field(default_factory=dict)
    seconds: Mapping[float, int] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is no metric's text."""
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return cls(
            statuses=_counted(samples, REQUESTS, "status", int),
            seconds=_counted(samples, SECONDS, "le", float),
            answers=_counted(samples, ANSWERS, "bin", str),
        )

    @property
    def latencies(self) -> Latencies:
        bounds = sorted(self.seconds)
        upto = [self.seconds[bound] for bound in bounds]
        counts = tuple(now - before for now, before in zip(upto, [0, *upto], strict=False))
        return Latencies(tuple(bounds[:-1]), counts)

    def since(self, before: Self) -> Self:
        """A process that was started again in between began anew: then all of it counts."""
        if sum(self.statuses.values()) < sum(before.statuses.values()):
            return self
        return type(self)(
            statuses=_less(self.statuses, before.statuses),
            seconds=_less(self.seconds, before.seconds),
            answers=_less(self.answers, before.answers),
        )

    def side(self, restarts: int = 0, resident_bytes: tuple[int, int] = (0, 0), failures: int = 0) -> Side:
        """`failures` are requests that it never answered, so that it could not count them."""
        requests = sum(self.statuses.values())
        errors = sum(count for status, count in self.statuses.items() if status >= _SERVER_ERROR)
        refused = sum(count for status, count in self.statuses.items() if _REFUSED <= status < _SERVER_ERROR)
        return Side(
            requests=requests + failures,
            errors=errors + failures,
            refused=refused,
            latencies=self.latencies,
            answers=self.answers,
            restarts=restarts,
            resident_bytes=resident_bytes,
        )


def _counted(samples: Sequence[Sample], name: str, label: str, read: Callable[[str], Key]) -> dict[Key, int]:
    return {read(sample.labels[label]): int(sample.value) for sample in samples if sample.name == name}


def _less(now: Mapping[Key, int], before: Mapping[Key, int]) -> dict[Key, int]:
    # Zeros stay where a bound belongs to a histogram.
    return {key: count - before.get(key, 0) for key, count in now.items()}

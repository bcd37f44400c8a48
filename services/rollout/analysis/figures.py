"""What a release counts while it answers, read from its metrics in Prometheus' text format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import Self, TypeVar

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.rollout.analysis.latencies import Latencies
from services.rollout.analysis.window import Side

REQUESTS, SECONDS, ANSWERS = "trackback_requests_total", "trackback_request_seconds_bucket", "trackback_answers_total"
HAND_ON_FAILED = "trackback_handed_on_failed_total"
ENDED_WORKERS, RESIDENT_BYTES = "trackback_workers_ended_total", "trackback_resident_bytes"
COMPARED, DISAGREED = "trackback_shadow_compared_total", "trackback_shadow_disagreed_total"
_SERVER_ERROR, _REFUSED = 500, 400
Key = TypeVar("Key", int, float, str)


@dataclass(frozen=True)
class Figures:
    """Since it was loaded: requests by status, by seconds up to each bound, and answers by bin.

    Of one that hands requests on: `failures` of the candidate, and shadowed answers `compared` and `disagreed`.
    """

    statuses: Mapping[int, int] = field(default_factory=dict)
    seconds: Mapping[float, int] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)
    failures: int = 0
    compared: int = 0
    disagreed: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is no metric's text."""
        return cls.of(_read(text))

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        return cls(
            statuses=_counted(samples, REQUESTS, "status", int),
            seconds=_counted(samples, SECONDS, "le", float),
            answers=_counted(samples, ANSWERS, "bin", str),
            failures=_total(samples, HAND_ON_FAILED),
            compared=_total(samples, COMPARED),
            disagreed=_total(samples, DISAGREED),
        )

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())

    @property
    def latencies(self) -> Latencies:
        bounds = sorted(self.seconds)
        upto = [self.seconds[bound] for bound in bounds]
        counts = tuple(now - before for now, before in zip(upto, [0, *upto], strict=False))
        return Latencies(tuple(bounds[:-1]), counts)

    def since(self, before: Self) -> Self:
        """What was started again in between began anew: then all of it counts."""
        if self.requests < before.requests:
            return self
        return self._with(before, sub)

    def __add__(self, other: Self) -> Self:
        """Of two replicas together."""
        return self._with(other, add)

    def _with(self, other: Self, by: Callable[[int, int], int]) -> Self:
        return type(self)(
            statuses=_combined(self.statuses, other.statuses, by),
            seconds=_combined(self.seconds, other.seconds, by),
            answers=_combined(self.answers, other.answers, by),
            failures=by(self.failures, other.failures),
            compared=by(self.compared, other.compared),
            disagreed=by(self.disagreed, other.disagreed),
        )


@dataclass(frozen=True)
class Seen:
    """`restarts` are processes of it that ended or hung."""

    figures: Figures = Figures()
    resident_bytes: int = 0
    restarts: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of a container, which tells all of it. Raises ValueError for what is no metric's text."""
        samples = _read(text)
        return cls(Figures.of(samples), _total(samples, RESIDENT_BYTES), _total(samples, ENDED_WORKERS))

    def side(self, before: Self, failures: int = 0) -> Side:
        """What it did since; `failures` are requests that it never answered, so that it could not count them."""
        figures = self.figures.since(before.figures)
        statuses = figures.statuses.items()
        errors = sum(count for status, count in statuses if status >= _SERVER_ERROR)
        refused = sum(count for status, count in statuses if _REFUSED <= status < _SERVER_ERROR)
        return Side(
            requests=figures.requests + failures,
            errors=errors + failures,
            refused=refused,
            latencies=figures.latencies,
            answers=figures.answers,
            restarts=self.restarts - before.restarts,
        )


def _read(text: str) -> Sequence[Sample]:
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def _combined(one: Mapping[Key, int], another: Mapping[Key, int], by: Callable[[int, int], int]) -> dict[Key, int]:
    # Zeros stay where a bound belongs to a histogram.
    return {key: by(one.get(key, 0), another.get(key, 0)) for key in {**one, **another}}


def _counted(samples: Sequence[Sample], name: str, label: str, read: Callable[[str], Key]) -> dict[Key, int]:
    return {read(sample.labels[label]): int(sample.value) for sample in samples if sample.name == name}


def _total(samples: Sequence[Sample], name: str) -> int:
    return sum(int(sample.value) for sample in samples if sample.name == name)

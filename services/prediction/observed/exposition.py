"""The figures as Prometheus reads them. Imported when somebody asks for the first time, not before."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from services.prediction.observed.figures import BINS, ROWS_BUCKETS, SECONDS_BUCKETS, Place
from services.prediction.observed.whole import Whole

_LOST = {
    ("access", "queue full"): Place.ACCESS_LOST,
    ("access", "not written"): Place.ACCESS_FAILED,
    ("prediction", "queue full"): Place.PREDICTIONS_LOST,
    ("prediction", "not written"): Place.PREDICTIONS_FAILED,
}
_DROPPED = {
    "too many": Place.SHADOW_TOO_MANY,
    "too large": Place.SHADOW_TOO_LARGE,
    "not comparable": Place.SHADOW_NOT_COMPARABLE,
}


class FiguresCollector(Collector):
    """`identity` is that of what answers; the `whole` is told where it is known."""

    def __init__(self, numbers: Sequence[float], identity: Mapping[str, str], whole: Whole | None = None) -> None:
        self._numbers = numbers
        self._identity = identity
        self._whole = whole

    def collect(self) -> Iterator[Metric]:
        yield from self._requests()
        yield self._histogram(
            "trackback_request_seconds",
            "From the head of a request to the end of its answer",
            SECONDS_BUCKETS,
            (Place.SECONDS_BUCKETS, Place.SECONDS),
        )
        yield CounterMetricFamily("trackback_rows", "Rows that were answered", self._numbers[Place.ROWS])
        yield self._histogram(
            "trackback_batch_rows",
            "Rows of the batch in which a request was scored",
            ROWS_BUCKETS,
            (Place.BATCH_BUCKETS, Place.BATCH_ROWS),
        )
        yield self._answers()
        yield from self._handed_on()
        yield from self._shadowed()
        yield self._lost()
        yield from self._of_the_whole()
        yield self._release_info()

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "trackback_requests", "Requests for predictions that were answered", labels=["status"]
        )
        for status in range(Place.STATUSES, Place.ANSWERS):
            if self._numbers[status]:
                requests.add_metric([str(status)], self._numbers[status])
        yield requests
        yield GaugeMetricFamily(
            "trackback_requests_in_flight", "Requests that are being answered", self._numbers[Place.IN_FLIGHT]
        )

    def _histogram(self, name: str, about: str, bounds: Sequence[float], places: tuple[int, int]) -> Metric:
        """`places` are those of the first bucket and of the sum."""
        start, total = places
        counts = accumulate(self._numbers[start : start + len(bounds) + 1])
        buckets = list(zip([*(f"{bound:g}" for bound in bounds), "+Inf"], counts, strict=True))
        return HistogramMetricFamily(name, about, buckets, self._numbers[total])

    def _answers(self) -> Metric:
        about = "First answers of requests, to different rows, by a coarse bin: by them two releases are compared"
        answers = CounterMetricFamily("trackback_answers", about, labels=["bin"])
        for place in range(BINS):
            if count := self._numbers[Place.ANSWERS + place]:
                answers.add_metric([str(place)], count)
        return answers

    def _handed_on(self) -> Iterator[Metric]:
        about = "Requests that a candidate answered in the place of this release"
        yield CounterMetricFamily("trackback_handed_on", about, self._numbers[Place.HANDED_ON])
        about = "Requests that a candidate was handed, or shown a copy of, and never answered"
        yield CounterMetricFamily("trackback_handed_on_failed", about, self._numbers[Place.HANDED_ON_FAILED])

    def _shadowed(self) -> Iterator[Metric]:
        about = "Copies of requests to which a candidate's answer was compared with this release's"
        yield CounterMetricFamily("trackback_shadow_compared", about, self._numbers[Place.SHADOW_COMPARED])
        about = "Those of them in which at least one row has another answer"
        yield CounterMetricFamily("trackback_shadow_disagreed", about, self._numbers[Place.SHADOW_DISAGREED])
        about = "How far compared numbers were apart: their count, and the sum of the absolute differences"
        count, total = self._numbers[Place.SHADOW_NUMBERS], self._numbers[Place.SHADOW_APART]
        yield SummaryMetricFamily("trackback_shadow_difference", about, int(count), total)
        dropped = CounterMetricFamily(
            "trackback_shadow_dropped", "Copies of requests that were not sent to a candidate", labels=["reason"]
        )
        for reason, place in _DROPPED.items():
            dropped.add_metric([reason], self._numbers[place])
        yield dropped

    def _lost(self) -> Metric:
        lost = CounterMetricFamily(
            "trackback_log_lines_lost", "Lines that a log was too slow for or could not write", labels=["log", "reason"]
        )
        for (log, reason), place in _LOST.items():
            lost.add_metric([log, reason], self._numbers[place])
        return lost

    def _of_the_whole(self) -> Iterator[Metric]:
        if self._whole:
            about = "Workers of this container that ended or hung, and were replaced"
            yield CounterMetricFamily("trackback_workers_ended", about, self._whole.ended_workers)
            about = "Memory of all processes of this container"
            yield GaugeMetricFamily("trackback_resident_bytes", about, self._whole.resident_bytes)

    def _release_info(self) -> Metric:
        info = GaugeMetricFamily("trackback_release_info", "What answers here", labels=list(self._identity))
        info.add_metric(list(self._identity.values()), 1)
        return info


def exposition(numbers: Sequence[float], identity: Mapping[str, str], whole: Whole | None = None) -> bytes:
    """In Prometheus' text format 0.0.4."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector(numbers, identity, whole))
    return generate_latest(registry)

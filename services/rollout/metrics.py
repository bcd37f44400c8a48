"""The rollout service's metrics for Prometheus: which revision is live since when, and how often that changed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from services.contract.deployment import Action, Deployment, ModelState
from services.rollout.state import JournalEntry, JournalEvent, ModelFiles

__all__ = ["CONTENT_TYPE", "Measured", "exposition"]

# The gateway's own metrics have this label, so that a query can join a slot with the model that has it.
SLOT_LABEL = "proxy"
Labels = dict[str, str]


@dataclass(frozen=True)
class Measured:
    """A model's state and journal; `slot` is None where there is no gateway."""

    state: ModelState
    entries: Sequence[JournalEntry]
    slot: str | None

    @classmethod
    def of(cls, state: ModelState, files: ModelFiles) -> Self:
        return cls(state, list(files.entries()), files.address().slot)

    @property
    def labels(self) -> Labels:
        return {"model": self.state.model}

    def live_labels(self, live: Deployment) -> Labels:
        words = {"revision": live.revision, "release": live.release, "run": live.run_id, "action": str(live.action)}
        return {**self.labels, **words, **({SLOT_LABEL: self.slot} if self.slot else {})}

    def count_deployments(self, action: Action) -> int:
        became = (entry.deployment for entry in self.entries if entry.event is JournalEvent.LIVE)
        return sum(one.action is action for one in became if one)

    def count_events(self, event: JournalEvent) -> int:
        return sum(entry.event is event for entry in self.entries)


class ModelsCollector(Collector):
    """Counts what the journals say at each scrape, so that a restart of the service resets no counter."""

    def __init__(self, models: Iterable[Measured]) -> None:
        self._models = list(models)

    def collect(self) -> Iterator[Metric]:
        yield from self._gauges()
        yield from self._counters()

    def _gauges(self) -> Iterator[Metric]:
        live = [(model, model.state.live) for model in self._models if model.state.live]
        yield _gauge(
            "trackback_answering",
            "1 when the model answers at its address",
            ((model.labels, model.state.answering) for model in self._models),
        )
        yield _gauge(
            "trackback_live_info",
            "The deployment that is live, and the gateway's slot of the model",
            ((model.live_labels(deployment), 1) for model, deployment in live),
        )
        yield _gauge(
            "trackback_live_promotion",
            "The number of the promotion that is live",
            ((model.labels, deployment.number) for model, deployment in live),
        )
        yield _gauge(
            "trackback_live_since_timestamp_seconds",
            "When it became live",
            ((model.labels, deployment.at.timestamp()) for model, deployment in live),
        )

    def _counters(self) -> Iterator[Metric]:
        yield _counter(
            "trackback_deployments_total",
            "How often a release became live",
            (
                ({**model.labels, "action": str(action)}, model.count_deployments(action))
                for model in self._models
                for action in Action
            ),
        )
        yield _counter(
            "trackback_ledger_entries_total",
            "Lines of the ledger, by what happened",
            (
                ({**model.labels, "event": str(event)}, count)
                for model in self._models
                for event, count in Counter(entry.event for entry in model.entries).items()
            ),
        )
        yield _counter(
            "trackback_refused_candidates_total",
            "Candidates that did not pass their checks",
            ((model.labels, model.count_events(JournalEvent.REFUSED)) for model in self._models),
        )
        yield _counter(
            "trackback_restarts_total",
            "How often what was live had ended and was started again",
            ((model.labels, model.count_events(JournalEvent.RESTARTED)) for model in self._models),
        )


def exposition(models: Iterable[Measured]) -> str:
    """All metrics in Prometheus' text format 0.0.4; a metric without a model has its HELP and TYPE lines alone."""
    registry = CollectorRegistry()
    registry.register(ModelsCollector(models))
    return generate_latest(registry).decode()


def _gauge(name: str, about: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    return _with_samples(GaugeMetricFamily(name, about), name, samples)


def _counter(name: str, about: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    return _with_samples(CounterMetricFamily(name, about), name, samples)


def _with_samples(family: Metric, name: str, samples: Iterable[tuple[Labels, float]]) -> Metric:
    # Not by add_metric, which wants the same labels of every sample: a model without a slot has one label fewer.
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family

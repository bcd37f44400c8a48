"""The rollout service's metrics for Prometheus: what is live, which step a release is in, how often it changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from services.contract.deployment import ANALYSIS, Action, Deployment, ModelState
from services.contract.rollout_step import StepStatus
from services.rollout.state import JournalEvent, ModelFiles
from services.rollout.tally import PERSON, Tally

__all__ = ["CONTENT_TYPE", "Measured", "exposition"]

# The gateway's own metrics have this label, so that a query can join a slot with the model that has it.
SLOT_LABEL = "proxy"
Labels = dict[str, str]


@dataclass(frozen=True)
class Measured:
    """A model's state and what its ledger adds up to; `slot` is None where there is no gateway."""

    state: ModelState
    tally: Tally
    slot: str | None

    @classmethod
    def of(cls, state: ModelState, files: ModelFiles) -> Self:
        return cls(state, files.tally(), files.address().slot)

    @property
    def labels(self) -> Labels:
        return {"model": self.state.model}

    def live_labels(self, live: Deployment) -> Labels:
        words = {"revision": live.revision, "release": live.release, "run": live.run_id, "action": str(live.action)}
        return {**self.labels, **words, **({SLOT_LABEL: self.slot} if self.slot else {})}

    def step_labels(self, step: StepStatus) -> Labels:
        return {**self.labels, "revision": step.revision, "release": step.release, "step": str(step.step.kind)}


class ModelsCollector(Collector):
    """Counts what the journals say at each scrape, so that a restart of the service resets no counter."""

    def __init__(self, models: Iterable[Measured]) -> None:
        self._models = list(models)

    def collect(self) -> Iterator[Metric]:
        yield from self._gauges()
        yield from self._steps()
        yield from self._counters()
        yield from self._ways_back()

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

    def _steps(self) -> Iterator[Metric]:
        stepping = [(model.step_labels(step), step) for model in self._models if (step := model.state.step)]
        yield _gauge(
            "trackback_step_info",
            "The step that a release is in",
            ((labels, 1) for labels, _ in stepping),
        )
        yield _gauge(
            "trackback_step_share_ratio",
            "Which share of the requests the release in a step gets, or is shown",
            ((labels, step.step.share) for labels, step in stepping),
        )
        yield _gauge(
            "trackback_step_since_timestamp_seconds",
            "When the step began",
            ((labels, step.since.timestamp()) for labels, step in stepping),
        )
        yield _gauge(
            "trackback_step_paused",
            "1 when a person paused the step",
            ((labels, step.paused) for labels, step in stepping),
        )

    def _counters(self) -> Iterator[Metric]:
        yield _counter(
            "trackback_deployments_total",
            "How often a release became live",
            (
                ({**model.labels, "action": str(action)}, model.tally.actions[action])
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
                for event, count in model.tally.events.items()
            ),
        )
        yield _counter(
            "trackback_refused_candidates_total",
            "Candidates that did not pass their checks",
            ((model.labels, model.tally.events[JournalEvent.REFUSED]) for model in self._models),
        )
        yield _counter(
            "trackback_restarts_total",
            "How often what was live had ended and was started again",
            ((model.labels, model.tally.events[JournalEvent.RESTARTED]) for model in self._models),
        )

    def _ways_back(self) -> Iterator[Metric]:
        yield _counter(
            "trackback_rollbacks_total",
            "How often a release went back to one before it, by the analysis or a person",
            (
                ({**model.labels, "by": by}, model.tally.rollbacks[by])
                for model in self._models
                for by in (ANALYSIS, PERSON)
            ),
        )
        yield _counter(
            "trackback_steps_taken_back_total",
            "Candidates that were taken back in a step before they were live",
            ((model.labels, model.tally.taken_back) for model in self._models),
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

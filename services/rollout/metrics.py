"""What a monitoring system may ask: which revision is live since when, and how often that changed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from services.contract.deployment import Action, ModelState
from services.rollout.state import Entry, Event, ModelFiles

CONTENT_TYPE = "text/plain; version=0.0.4"
# Of the gateway's own metrics, so that a slot can be joined with the model that has it.
SLOT_LABEL = "proxy"


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    help: str


ANSWERING = Metric("trackback_answering", "gauge", "1 when the model answers at its address")
LIVE = Metric("trackback_live_info", "gauge", "The deployment that is live, and the gateway's slot of the model")
PROMOTION = Metric("trackback_live_promotion", "gauge", "The number of the promotion that is live")
SINCE = Metric("trackback_live_since_timestamp_seconds", "gauge", "When it became live")
DEPLOYMENTS = Metric("trackback_deployments_total", "counter", "How often a release became live")
REFUSED = Metric("trackback_refused_candidates_total", "counter", "Candidates that did not pass their checks")
RESTARTS = Metric("trackback_restarts_total", "counter", "How often what was live had ended and was started again")
METRICS = (ANSWERING, LIVE, PROMOTION, SINCE, DEPLOYMENTS, REFUSED, RESTARTS)


@dataclass(frozen=True)
class Measured:
    """A model's state and journal; `slot` is None where there is no gateway."""

    state: ModelState
    entries: Sequence[Entry]
    slot: str | None

    @classmethod
    def of(cls, state: ModelState, files: ModelFiles) -> Self:
        return cls(state, list(files.entries()), files.address().slot)


@dataclass(frozen=True)
class Sample:
    metric: Metric
    labels: dict[str, str]
    value: float

    def line(self) -> str:
        # None has a character that must be escaped: each is matched by a pattern of the contract, or a word of ours.
        labels = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.metric.name}{{{labels}}} {self.value:.17g}"


def exposition(models: Iterable[Measured]) -> str:
    """In the text format that Prometheus reads, metric by metric."""
    samples = [sample for model in models for sample in _samples(model)]
    lines: list[str] = []
    for metric in METRICS:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [sample.line() for sample in samples if sample.metric is metric]
    return "\n".join(lines) + "\n"


def _samples(measured: Measured) -> Iterator[Sample]:
    model = {"model": measured.state.model}
    yield Sample(ANSWERING, model, measured.state.answering)
    if live := measured.state.live:
        words = {"revision": live.revision, "release": live.release, "run": live.run_id, "action": live.action}
        slot = {SLOT_LABEL: measured.slot} if measured.slot else {}
        yield Sample(LIVE, {**model, **words, **slot}, 1)
        yield Sample(PROMOTION, model, live.number)
        yield Sample(SINCE, model, live.at.timestamp())
    actions = [entry.deployment.action for entry in measured.entries if entry.deployment]
    for action in Action:
        yield Sample(DEPLOYMENTS, {**model, "action": action}, actions.count(action))
    events = [entry.event for entry in measured.entries]
    yield Sample(REFUSED, model, events.count(Event.REFUSED))
    yield Sample(RESTARTS, model, events.count(Event.RESTARTED))

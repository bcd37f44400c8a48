"""What the rollout service tells Prometheus, to the byte: `promtool check metrics` accepts it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.contract.deployment import Action, Deployment, ModelState
from services.rollout.metrics import METRICS, Measured, exposition
from services.rollout.state import Address, Entry, Event, ModelFiles

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
RELEASE, RUN = "a1" * 32, "b2" * 16
NEVER_LIVE = ModelState(model="language-id", url=None, answering=False, live=None, previous=None)
TOLD = f"""\
# HELP trackback_answering 1 when the model answers at its address
# TYPE trackback_answering gauge
trackback_answering{{model="diamond-price"}} 1
trackback_answering{{model="language-id"}} 0
# HELP trackback_live_info The deployment that is live, and the gateway's slot of the model
# TYPE trackback_live_info gauge
trackback_live_info{{model="diamond-price",revision="2-b2b2b2b2",release="{RELEASE}",run="{RUN}",\
action="rollback",proxy="slot-07"}} 1
# HELP trackback_live_promotion The number of the promotion that is live
# TYPE trackback_live_promotion gauge
trackback_live_promotion{{model="diamond-price"}} 2
# HELP trackback_live_since_timestamp_seconds When it became live
# TYPE trackback_live_since_timestamp_seconds gauge
trackback_live_since_timestamp_seconds{{model="diamond-price"}} 1795359602.5
# HELP trackback_deployments_total How often a release became live
# TYPE trackback_deployments_total counter
trackback_deployments_total{{model="diamond-price",action="deploy"}} 2
trackback_deployments_total{{model="diamond-price",action="rollback"}} 1
trackback_deployments_total{{model="language-id",action="deploy"}} 0
trackback_deployments_total{{model="language-id",action="rollback"}} 0
# HELP trackback_refused_candidates_total Candidates that did not pass their checks
# TYPE trackback_refused_candidates_total counter
trackback_refused_candidates_total{{model="diamond-price"}} 0
trackback_refused_candidates_total{{model="language-id"}} 1
# HELP trackback_restarts_total How often what was live had ended and was started again
# TYPE trackback_restarts_total counter
trackback_restarts_total{{model="diamond-price"}} 1
trackback_restarts_total{{model="language-id"}} 0
"""


def became_live(number: int, action: Action, seconds: float) -> Deployment:
    return Deployment(
        model="diamond-price",
        revision=f"{number}-b2b2b2b2",
        release=RELEASE,
        run_id=RUN,
        action=action,
        at=AT + timedelta(seconds=seconds),
        by="ada",
        reason='a "reason"',
    )


def note(event: Event, deployment: Deployment | None = None) -> Entry:
    return Entry(at=AT, event=event, release=RELEASE, deployment=deployment)


def test_what_is_live_and_how_it_came_so_is_told_to_the_byte(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    files.assign(Address(slot="slot-07"))
    live = became_live(2, Action.ROLLBACK, 2.5)
    files.append(note(Event.STARTED))
    files.append(note(Event.LIVE, became_live(2, Action.DEPLOY, 0)))
    files.append(note(Event.LIVE, became_live(3, Action.DEPLOY, 1)))
    files.append(note(Event.RESTARTED))
    files.append(note(Event.LIVE, live))
    state = ModelState(model="diamond-price", url="http://here", answering=True, live=live, previous=None)
    refused = Measured(NEVER_LIVE, [note(Event.STARTED), note(Event.REFUSED)], None)
    assert exposition([Measured.of(state, files), refused]) == TOLD


def test_without_a_gateway_there_is_no_slot_to_join(tmp_path: Path) -> None:
    live = became_live(2, Action.DEPLOY, 0)
    state = ModelState(model="diamond-price", url="http://here", answering=True, live=live, previous=None)
    told = exposition([Measured.of(state, ModelFiles(tmp_path, "diamond-price"))])
    assert f'run="{RUN}",action="deploy"}} 1' in told
    assert "proxy=" not in told


def test_without_models_every_metric_is_named_all_the_same() -> None:
    assert [line.split()[2] for line in exposition([]).splitlines()[1::2]] == [metric.name for metric in METRICS]

"""The rollout service's metrics as Prometheus reads them: names, types, labels and values stay as they are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from services.contract.deployment import ANALYSIS, Action, Deployment, ModelState
from services.contract.rollout_step import Step, StepKind, StepStatus
from services.rollout.metrics import Measured, exposition
from services.rollout.state import Address, JournalEntry, JournalEvent, ModelFiles
from services.rollout.tally import Tally

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
RELEASE, RUN = "a1" * 32, "b2" * 16
CANARY = StepStatus(
    revision="3-b2b2b2b2",
    release=RELEASE,
    step=Step(kind=StepKind.CANARY, seconds=60, share=0.25),
    since=AT,
    paused=True,
)
NEVER_LIVE = ModelState(model="language-id", url=None, answering=False, live=None, previous=None)
EXPECTED = f"""\
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
# HELP trackback_step_info The step that a release is in
# TYPE trackback_step_info gauge
trackback_step_info{{model="diamond-price",revision="3-b2b2b2b2",release="{RELEASE}",step="canary"}} 1
# HELP trackback_step_share_ratio Which share of the requests the release in a step gets, or is shown
# TYPE trackback_step_share_ratio gauge
trackback_step_share_ratio{{model="diamond-price",revision="3-b2b2b2b2",release="{RELEASE}",step="canary"}} 0.25
# HELP trackback_step_since_timestamp_seconds When the step began
# TYPE trackback_step_since_timestamp_seconds gauge
trackback_step_since_timestamp_seconds{{model="diamond-price",revision="3-b2b2b2b2",release="{RELEASE}",\
step="canary"}} 1795359600
# HELP trackback_step_paused 1 when a person paused the step
# TYPE trackback_step_paused gauge
trackback_step_paused{{model="diamond-price",revision="3-b2b2b2b2",release="{RELEASE}",step="canary"}} 1
# HELP trackback_deployments_total How often a release became live
# TYPE trackback_deployments_total counter
trackback_deployments_total{{model="diamond-price",action="deploy"}} 2
trackback_deployments_total{{model="diamond-price",action="rollback"}} 1
trackback_deployments_total{{model="language-id",action="deploy"}} 0
trackback_deployments_total{{model="language-id",action="rollback"}} 0
# HELP trackback_ledger_entries_total Lines of the ledger, by what happened
# TYPE trackback_ledger_entries_total counter
trackback_ledger_entries_total{{model="diamond-price",event="started"}} 1
trackback_ledger_entries_total{{model="diamond-price",event="live"}} 3
trackback_ledger_entries_total{{model="diamond-price",event="restarted"}} 1
trackback_ledger_entries_total{{model="language-id",event="started"}} 1
trackback_ledger_entries_total{{model="language-id",event="refused"}} 1
# HELP trackback_refused_candidates_total Candidates that did not pass their checks
# TYPE trackback_refused_candidates_total counter
trackback_refused_candidates_total{{model="diamond-price"}} 0
trackback_refused_candidates_total{{model="language-id"}} 1
# HELP trackback_rollbacks_total How often a release went back to one before it, by the analysis or a person
# TYPE trackback_rollbacks_total counter
trackback_rollbacks_total{{model="diamond-price",by="analysis"}} 0
trackback_rollbacks_total{{model="diamond-price",by="person"}} 1
trackback_rollbacks_total{{model="language-id",by="analysis"}} 0
trackback_rollbacks_total{{model="language-id",by="person"}} 0
# HELP trackback_steps_taken_back_total Candidates that were taken back in a step before they were live
# TYPE trackback_steps_taken_back_total counter
trackback_steps_taken_back_total{{model="diamond-price"}} 0
trackback_steps_taken_back_total{{model="language-id"}} 0
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


def read(text: str) -> dict[str, Metric]:
    """By name, as Prometheus' own parser understands it; the order of labels and the form of numbers mean nothing."""
    return {metric.name: metric for metric in text_string_to_metric_families(text)}


def told(*models: Measured) -> dict[str, Metric]:
    return read(exposition(models))


def entry(event: JournalEvent, deployment: Deployment | None = None) -> JournalEntry:
    return JournalEntry(at=AT, event=event, release=RELEASE, deployment=deployment)


def test_every_metric_has_the_name_type_labels_and_values_that_queries_expect(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    files.assign(Address(slot="slot-07"))
    live = became_live(2, Action.ROLLBACK, 2.5)
    files.append(entry(JournalEvent.STARTED))
    files.append(entry(JournalEvent.LIVE, became_live(2, Action.DEPLOY, 0)))
    files.append(entry(JournalEvent.LIVE, became_live(3, Action.DEPLOY, 1)))
    files.append(entry(JournalEvent.RESTARTED))
    files.append(entry(JournalEvent.LIVE, live))
    state = ModelState(model="diamond-price", url="http://here", answering=True, step=CANARY, live=live, previous=None)
    refused = Measured(NEVER_LIVE, Tally([entry(JournalEvent.STARTED), entry(JournalEvent.REFUSED)]), None)
    assert told(Measured.of(state, files), refused) == read(EXPECTED)


def test_without_a_gateway_there_is_no_slot_to_join(tmp_path: Path) -> None:
    live = became_live(2, Action.DEPLOY, 0)
    state = ModelState(model="diamond-price", url="http://here", answering=True, live=live, previous=None)
    [sample] = told(Measured.of(state, ModelFiles(tmp_path, "diamond-price")))["trackback_live_info"].samples
    assert list(sample.labels) == ["action", "model", "release", "revision", "run"]


def test_without_models_every_metric_is_named_all_the_same() -> None:
    assert {name: metric.type for name, metric in told().items()} == {
        name: metric.type for name, metric in read(EXPECTED).items()
    }


def test_a_label_is_escaped_as_prometheus_reads_it(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    files.assign(Address(slot='slot "7"\\\n'))
    live = became_live(2, Action.DEPLOY, 0)
    state = ModelState(model="diamond-price", url="http://here", answering=True, live=live, previous=None)
    [sample] = told(Measured.of(state, files))["trackback_live_info"].samples
    assert sample.labels["proxy"] == 'slot "7"\\\n'


def test_a_rollback_is_counted_by_whom_it_was() -> None:
    by_itself = became_live(2, Action.ROLLBACK, 1).model_copy(update={"by": ANALYSIS})
    tally = Tally(entry(JournalEvent.LIVE, one) for one in (by_itself, became_live(2, Action.ROLLBACK, 2), by_itself))
    assert tally.rollbacks == {"analysis": 2, "person": 1}


def test_a_candidate_is_taken_back_when_it_is_refused_in_a_step_and_not_when_something_else_became_live() -> None:
    step, refused = entry(JournalEvent.STEP), entry(JournalEvent.REFUSED)
    assert Tally([refused]).taken_back == 0
    assert Tally([step, step, refused, refused]).taken_back == 1
    assert Tally([step, entry(JournalEvent.LIVE, became_live(2, Action.ROLLBACK, 1)), refused]).taken_back == 0


def test_a_ledger_that_is_read_for_a_scrape_keeps_nobody_from_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, from_json = ModelFiles(tmp_path, "diamond-price"), JournalEntry.from_json
    files.append(entry(JournalEvent.STARTED))

    def write_meanwhile(line: bytes, place: str) -> JournalEntry:
        assert not files._lock.locked()
        files.append(entry(JournalEvent.RESTARTED))
        return from_json(line, place)

    with monkeypatch.context() as patched:
        patched.setattr(JournalEntry, "from_json", write_meanwhile)
        assert files.tally().events == {JournalEvent.STARTED: 1}
    assert files.tally().events == {JournalEvent.STARTED: 1, JournalEvent.RESTARTED: 1}


def test_a_line_of_the_ledger_is_read_for_one_scrape_alone_and_a_restart_resets_no_counter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, read_lines = ModelFiles(tmp_path, "diamond-price"), list[str]()
    from_json = JournalEntry.from_json

    def noted(line: bytes, place: str) -> JournalEntry:
        read_lines.append(place)
        return from_json(line, place)

    monkeypatch.setattr(JournalEntry, "from_json", noted)
    for _ in range(3):
        files.append(entry(JournalEvent.STARTED))
        assert files.tally() is files.tally()
    assert [place.rpartition(":")[2] for place in read_lines] == ["1", "2", "3"]
    assert files.tally().events == ModelFiles(tmp_path, "diamond-price").tally().events == {JournalEvent.STARTED: 3}


def test_half_a_line_is_not_counted_and_a_ledger_that_became_shorter_is_counted_anew(tmp_path: Path) -> None:
    files, path = ModelFiles(tmp_path, "diamond-price"), tmp_path / "diamond-price" / "journal.jsonl"
    files.append(entry(JournalEvent.STARTED))
    one = path.read_bytes()
    files.append(entry(JournalEvent.STARTED))
    path.write_bytes(path.read_bytes() + b'{"at":')
    assert files.tally().events[JournalEvent.STARTED] == 2
    path.write_bytes(one)
    assert files.tally().events[JournalEvent.STARTED] == 1

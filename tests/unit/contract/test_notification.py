"""Who does not look is told: of a gate that said no, of a model that is down, up again or rolled back."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.contract.candidate import Candidate, Purpose
from services.contract.errors import Refused
from services.contract.notification import Notification, NotificationKind, NotTaken, post
from services.contract.validation import Validation
from services.contract.verdict import Acceptance, Check, Verdict
from services.delivery.reports import gate_notification
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.settings import Settings
from services.rollout.model import ModelRollout
from services.rollout.notifier import Notifier
from tests.support.paths import ROOT
from tests.support.poll import poll_until
from tests.support.ports import free_port
from tests.support.release_factory import WHEN, ReleasePlan, build_release
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, ask_for, three_releases
from tests.support.web_receiver import Receiver, receiving

DOCUMENTED = ROOT / "docs" / "operations.md"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    return three_releases(store)


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    return build_release(tmp_path_factory.mktemp("candidate"), ReleasePlan()).manifest.candidate


def judged(verdict: Verdict) -> Validation:
    holdout = {"sha256": "2" * 64, "rows": 4, "source": "made up"}
    known = {"model": MODEL, "revision": "1-aaaaaaaa", "candidate": "3" * 64, "holdout": holdout, "checks": ()}
    return Validation.model_validate({**known, "verdict": verdict, "metrics": {}, "latency_ms": {}})


def settings(url: str) -> Settings:
    return Settings(notify_url=url, mlflow_ui_url="http://mlflow.example")


def told(receiver: Receiver) -> list[Notification]:
    return [Notification.from_json(body) for _, _, body in receiver.got]


def down(summary: str) -> Notification:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Notification(event=NotificationKind.DOWN, model=MODEL, revision="1-aaaaaaaa", at=at, summary=summary)


def test_a_gate_that_says_no_tells_what_was_found_and_where_to_look(receiver: Receiver, candidate: Candidate) -> None:
    notify_of_gate(settings(f"{receiver.url}/hook?key=1"), candidate, judged(Verdict.FAIL), "r2_score: found 0.1")
    [(method, path, body)] = receiver.got
    assert (method, path, receiver.headers[0]["Content-Type"]) == ("POST", "/hook?key=1", "application/json")
    found = json.loads(body)
    assert datetime.fromisoformat(found.pop("at")).tzinfo
    assert found == {
        "event": "gate",
        "model": "diamond-price",
        "revision": "1-aaaaaaaa",
        "stage": "validate",
        "verdict": "fail",
        "summary": "r2_score: found 0.1",
        "by": None,
        "links": {"run": f"http://mlflow.example/#/experiments/1/runs/{'a' * 32}"},
    }


def test_a_gate_that_passes_tells_nobody(receiver: Receiver, candidate: Candidate) -> None:
    notify_of_gate(settings(receiver.url), candidate, judged(Verdict.PASS), "")
    assert receiver.got == []


def test_nobody_is_woken_by_what_a_person_accepted_or_by_what_nobody_promoted(
    receiver: Receiver, candidate: Candidate
) -> None:
    accepted = Acceptance(stage="validate", revision="1-aaaaaaaa", by="ada", at=WHEN, reason="80 rows this month")
    undecided = judged(Verdict.INCONCLUSIVE)
    notify_of_gate(settings(receiver.url), candidate, undecided.model_copy(update={"accepted": accepted}), "few rows")
    for purpose in (Purpose.PREVIEW, Purpose.REHEARSAL):
        preview = candidate.model_copy(update={"purpose": purpose})
        notify_of_gate(settings(receiver.url), preview, judged(Verdict.FAIL), "bad")
    assert receiver.got == []


def test_what_is_switched_off_is_told_with_its_reason_and_with_the_stage_that_stopped(
    receiver: Receiver, candidate: Candidate
) -> None:
    off = Check(name="latency", gate="latency", verdict=Verdict.FAIL, expected="", found="", off="shared until March")
    failed = judged(Verdict.FAIL).model_copy(update={"checks": (off,)})
    notify_of_gate(settings(receiver.url), candidate, failed, "worse than live", stage="deploy")
    [found] = told(receiver)
    assert (found.stage, found.summary) == ("deploy", "worse than live; switched off: latency (shared until March)")


def test_the_json_that_is_documented_is_the_one_that_is_sent() -> None:
    text = DOCUMENTED.read_text().partition("### Notifications")[2].partition("```json\n")[2].partition("```")[0]
    assert json.loads(Notification.from_json(text).to_json()) == json.loads(text)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret", "ftp://127.0.0.1/secret", "secret", "http://[secret"])
def test_a_receiver_that_is_not_there_is_a_note_without_its_address(
    candidate: Candidate, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    notify_of_gate(settings(url), candidate, judged(Verdict.INCONCLUSIVE), "too few rows")
    said = capsys.readouterr().err
    assert said.startswith("note: nobody was notified: ")
    assert "secret" not in said


def test_a_receiver_that_never_answers_holds_no_stage_up(
    candidate: Candidate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gate_notification, "LONGEST_SECONDS", 0.05)
    asked, free = threading.Event(), threading.Event()

    def hang(*_: object) -> tuple[int, bytes]:
        asked.set()
        free.wait(60)
        return 200, b""

    with receiving(Receiver(hang)) as receiver:
        notify_of_gate(settings(receiver.url), candidate, judged(Verdict.FAIL), "bad")
        assert "the receiver took more than 0.05 s" in capsys.readouterr().err
        assert asked.wait(60)
        free.set()


@pytest.mark.parametrize(("status", "kind"), [(301, NotTaken), (404, NotTaken), (500, Refused), (429, Refused)])
def test_what_the_receiver_refuses_for_good_is_told_from_what_it_may_take_later(
    status: int, kind: type[Refused]
) -> None:
    with receiving(Receiver(lambda *_: (status, b""))) as receiver, pytest.raises(Refused, match=str(status)) as error:
        post(receiver.url, down("it ended"), 5)
    assert error.type is kind
    assert len(receiver.got) == 1


def test_no_credentials_and_no_second_line_travel() -> None:
    found = down("cannot reach http://ada:hunter2@registry:5000/v2/\nand more" + "x" * 2000).summary
    assert found.startswith("cannot reach http://registry:5000/v2/ and more")
    assert len(found) == 1000


def test_a_model_that_dies_is_down_once_and_up_again(
    tmp_path: Path, store: Path, digests: list[str], receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    machine = FakeMachine(tmp_path, store, free_port(), Notifier(receiver.url))
    model = ModelRollout(MODEL, machine.dependencies())
    model.deploy(ask_for(digests[0]))
    machine.backend.all[0].kill()
    machine.backend.refuses = frozenset({"wait_ready"})
    model.traffic.keep_answering()
    model.traffic.keep_answering()
    machine.backend.refuses = frozenset()

    def looked_after() -> bool:
        model.traffic.keep_answering()
        return model.state().answering

    poll_until(looked_after, "the model")
    poll_until(lambda: len(receiver.got) >= 2, "two notifications")
    assert [(one.event, one.revision) for one in told(receiver)] == [("down", "1-aaaaaaaa"), ("up", "1-aaaaaaaa")]
    assert "diamond-price 1-aaaaaaaa: down: what answered had ended" in caplog.text
    assert "it answers again, after" in caplog.text
    machine.close()


def test_a_rollback_is_told_by_the_rollout_service(
    tmp_path: Path, store: Path, digests: list[str], receiver: Receiver
) -> None:
    machine = FakeMachine(tmp_path, store, free_port(), Notifier(receiver.url))
    model = ModelRollout(MODEL, machine.dependencies())
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    model.rollback(BACK)
    poll_until(lambda: receiver.got, "a notification")
    [found] = told(receiver)
    words = "2-aaaaaaaa was rolled back to it by grace: complaints"
    assert (found.event, found.revision, found.by, found.summary) == ("rollback", "1-aaaaaaaa", "grace", words)
    machine.close()


def test_a_receiver_that_hangs_or_fails_keeps_no_model_from_answering(
    tmp_path: Path, store: Path, digests: list[str]
) -> None:
    free, answers = threading.Event(), iter([500, 200])

    def hang_then_fail_then_take(*_: object) -> tuple[int, bytes]:
        free.wait(60)
        return next(answers), b""

    with receiving(Receiver(hang_then_fail_then_take)) as receiver:
        machine = FakeMachine(tmp_path, store, free_port(), Notifier(receiver.url, first_pause=0.01))
        model = ModelRollout(MODEL, machine.dependencies())
        model.deploy(ask_for(digests[0]))
        model.deploy(ask_for(digests[1]))
        model.rollback(BACK)
        assert model.state().answering
        free.set()
        poll_until(lambda: len(receiver.got) == 2, "the second try")
        assert told(receiver)[0] == told(receiver)[1]
        machine.close()

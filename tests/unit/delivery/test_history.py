"""history, who-served, audit and diff: what the ledgers and the store tell, also while the rollout service is away."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from services.contract import names
from services.contract.deployment import Action, Deployment, RetireRequest
from services.contract.errors import Refused
from services.contract.ledger import FaultKind, JournalEntry, JournalEvent
from services.contract.release import Image
from services.delivery.history.ledgers import Kept, entries_of, find_ledgers
from services.delivery.history.served import moment, served
from services.delivery.history.words import line
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.audit import Audits, audit, audited
from services.delivery.verbs.audit import words as audit_words
from services.delivery.verbs.diff import difference, lines
from services.delivery.verbs.history import history
from services.delivery.verbs.who_served import who_served
from services.delivery.verbs.who_served import words as served_words
from services.rollout.model import ModelRollout
from services.rollout.state import make_key
from tests.support.ports import free_port
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_fakes import BACK, MODEL, FakeMachine, ask_for, three_releases

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def digests(store: Path) -> list[str]:
    return three_releases(store)


@pytest.fixture
def state(tmp_path: Path, store: Path, digests: list[str]) -> Iterator[Path]:
    """Of a rollout service that has deployed twice, gone back, and ended."""
    machine = FakeMachine(tmp_path / "state", store, free_port())
    make_key(machine.state)
    model = ModelRollout(MODEL, machine.dependencies())
    for digest in digests[:2]:
        model.deploy(ask_for(digest))
    model.rollback(BACK)
    yield machine.state
    machine.close()


@pytest.fixture
def away(state: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", NOWHERE)
    monkeypatch.setenv("TRACKBACK_ROLLOUT_STATE", str(state))
    return Settings()


@pytest.mark.usefixtures("away")
def test_history_is_told_from_the_files_while_the_rollout_service_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    history(MODEL)
    found = capsys.readouterr()
    assert "does not answer: read from" in found.err
    told = [one.partition("UTC  ")[2] for one in found.out.splitlines()]
    assert told[0] == "promoted 1-aaaaaaaa by unknown"
    assert told[3].startswith("switched to 1-aaaaaaaa, release ")
    assert told[3].endswith(" by ada: why not")
    assert told[-1].startswith("rolled back to 1-aaaaaaaa")
    assert told[-1].endswith("by grace: complaints")


def test_history_as_json_has_every_line_with_its_hash(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(MODEL, state=state, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [one["number"] for one in found["entries"]] == list(range(1, len(found["entries"]) + 1))
    assert all(len(one["hash"]) == 64 for one in found["entries"])


def test_a_line_of_the_ledger_is_one_harmless_line_of_the_terminal() -> None:
    entry = JournalEntry(
        at=START,
        event=JournalEvent.GATE_REFUSED,
        stage="validate",
        revision="4-bbbbbbbb",
        message="a\n\x1b]8;;x\x07b\u2028c",
    )
    assert line(entry) == "2026-01-02 03:00:00 UTC  refused at validate 4-bbbbbbbb: a ]8;;x b c"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"event": "step", "by": "analysis", "message": "canary of 5% began"},
            "step of 2-aaaaaaaa: canary of 5% began",
        ),
        (
            {"event": "step", "by": "grace", "message": "abort in its bake: complaints"},
            "step of 2-aaaaaaaa by grace: abort in its bake: complaints",
        ),
        ({"event": "released", "by": "analysis", "message": "bake was good"}, "released 2-aaaaaaaa: bake was good"),
    ],
)
def test_steps_are_told_with_who_ordered_them(entry: dict[str, str], words: str) -> None:
    told = line(JournalEntry.model_validate({"at": START, "revision": "2-aaaaaaaa", **entry}))
    assert told == f"2026-01-02 03:00:00 UTC  {words}"


def test_a_rollback_by_the_analysis_is_told_with_its_words() -> None:
    back = deployed(1, 1, Action.ROLLBACK)
    words = "2-aaaaaaaa was taken back in its bake: errors: expected few, found many"
    told = line(back.model_copy(update={"by": "analysis", "message": words}))
    assert told.endswith(f"rolled back to 1-aaaaaaaa, release 000000000000… by analysis: {words}")


@pytest.mark.parametrize("model", ["Nonsense", "../etc", "", "a b"])
def test_what_is_no_models_name_is_refused(model: str, state: Path) -> None:
    with pytest.raises(Refused, match="expected the name of a model"):
        entries_of(Kept(state), model)


def test_a_model_without_a_ledger_is_refused_with_those_that_have_one(state: Path) -> None:
    with pytest.raises(Refused, match=r"expected a ledger of language-id, found none: known models are diamond-price"):
        entries_of(Kept(state), "language-id")
    with pytest.raises(Refused, match="expected the state of a rollout service in"):
        find_ledgers(Settings(), state / "nowhere")


def test_without_service_and_files_it_is_said_how_to_name_them(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"is it up\? Or name the folder of its state by --state"):
        find_ledgers(Settings(rollout_url=NOWHERE, rollout_state=tmp_path / "none"), None)


def deployed(number: int, minute: int, action: Action = Action.DEPLOY) -> JournalEntry:
    at = START + timedelta(minutes=minute)
    shared = {"model": MODEL, "revision": f"{number}-aaaaaaaa", "release": f"{number:064x}", "run_id": "a" * 32}
    one = Deployment.model_validate({**shared, "action": action, "at": at, "by": "ada", "reason": "better"})
    return JournalEntry(at=at, event=JournalEvent.LIVE, release=one.release, deployment=one)


def happened(event: JournalEvent, minute: int, message: str = "") -> JournalEntry:
    return JournalEntry(at=START + timedelta(minutes=minute), event=event, message=message)


LEDGER = [
    happened(JournalEvent.PROMOTED, 1),
    deployed(1, 10),
    happened(JournalEvent.DOWN, 20, "it ended"),
    happened(JournalEvent.REFUSED, 21),
    happened(JournalEvent.BACK, 30),
    deployed(2, 40),
    happened(JournalEvent.RETIRED, 50),
    deployed(2, 60, Action.ROLLBACK),
]


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (0, "nothing answered at 2026-01-02 03:00:00 UTC: its first release came later"),
        (5, "nothing answered at 2026-01-02 03:05:00 UTC: its first release came later"),
        (10, "1-aaaaaaaa "),
        (25, "was live but did not answer (it ended) at 2026-01-02 03:25:00 UTC, since 2026-01-02 03:10:00 UTC until"),
        (35, "answered at 2026-01-02 03:35:00 UTC, since 2026-01-02 03:10:00 UTC until 2026-01-02 03:40:00 UTC"),
        (55, "nothing answered at 2026-01-02 03:55:00 UTC since 2026-01-02 03:50:00 UTC: it was retired"),
        (70, "since 2026-01-02 04:00:00 UTC and still does, put there by ada: better"),
    ],
)
def test_who_served_knows_every_minute(minute: int, expected: str) -> None:
    assert expected in served_words(served(MODEL, LEDGER, START + timedelta(minutes=minute)))


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02 03:04:05 UTC",
        "2026-01-02T03:04:05",
        "2026-01-02T05:04:05+02:00",
        "20260102T030405",
    ],
)
def test_a_time_is_taken_as_it_is_printed_and_as_iso(text: str) -> None:
    assert moment(text, START + timedelta(days=1)) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["yesterday", "", "2026-13-01", "1767323045", "2026-01-02T25:00", "2026-01-05T00:00:00Z"]
)
def test_another_time_and_one_to_come_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(Refused, match="expected a time") as refused:
        moment(text, START + timedelta(days=1))
    assert "\n" not in str(refused.value)


def test_who_served_is_asked_by_its_verb(state: Path, capsys: pytest.CaptureFixture[str], digests: list[str]) -> None:
    who_served(MODEL, at=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC", state=state, as_json=True)
    assert json.loads(capsys.readouterr().out)["deployment"]["release"] == digests[0]


def test_an_audit_tells_each_ledger_and_fails_for_a_broken_one(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(state=state)
    assert capsys.readouterr().out == "diamond-price: intact, 9 lines; held against the signed checkpoint at line 9\n"
    journal = state / MODEL / names.JOURNAL_FILE
    journal.write_bytes(journal.read_bytes().replace(b"complaints", b"compliments"))
    with pytest.raises(typer.Exit):
        audit(MODEL, state=state)
    assert capsys.readouterr().out.startswith("diamond-price: BROKEN at line 9 (changed): line 9 was changed")


def test_a_ledger_that_is_gone_is_missed_by_its_checkpoint(state: Path) -> None:
    (state / MODEL / names.JOURNAL_FILE).unlink()
    [told] = audited(Kept(state), None, Audits(ledgers=())).ledgers
    assert told.fault
    assert told.fault.kind is FaultKind.TRUNCATED


def test_what_was_written_anew_as_a_whole_is_found_by_an_audit_that_was_kept_elsewhere(
    state: Path, tmp_path: Path, store: Path, digests: list[str]
) -> None:
    kept = audited(Kept(state), None, Audits(ledgers=()))
    assert audited(Kept(state), MODEL, kept).intact
    again = FakeMachine(tmp_path / "another", store, free_port())
    model = ModelRollout(MODEL, again.dependencies())
    for digest in digests:
        model.deploy(ask_for(digest))
    again.close()
    forged = audited(Kept(again.state), None, kept)
    assert "the earlier audit found another hash" in audit_words(forged.ledgers[0])
    (again.state / MODEL / names.JOURNAL_FILE).write_bytes(b"")
    (again.state / names.LEDGER_FOLDER / f"{MODEL}.json").unlink()
    assert "the end was cut off" in audit_words(audited(Kept(again.state), None, kept).ledgers[0])


def test_nothing_to_audit_is_no_pass(tmp_path: Path) -> None:
    for model in (None, MODEL):
        with pytest.raises(Refused, match="expected a ledger of"):
            audited(Kept(tmp_path), model, Audits(ledgers=()))


def test_a_retirement_is_in_the_history(tmp_path: Path, store: Path, digests: list[str]) -> None:
    machine = FakeMachine(tmp_path, store, free_port())
    model = ModelRollout(MODEL, machine.dependencies())
    model.deploy(ask_for(digests[0]))
    model.retire(RetireRequest(by="grace", reason="nobody asks it"))
    machine.close()
    last = entries_of(Kept(tmp_path), MODEL)[-1]
    assert line(last).endswith(f"retired 1-aaaaaaaa, release {digests[0][:12]}… by grace: nobody asks it")
    assert served(MODEL, [*entries_of(Kept(tmp_path), MODEL)], last.at).deployment is None


def test_two_releases_differ_by_what_was_recorded(tmp_path: Path) -> None:
    one = build_release(tmp_path, ReleasePlan(number=1, price_per_carat=4000.0))
    other = build_release(tmp_path, ReleasePlan(number=2, price_per_carat=5000.0))
    store = Store(tmp_path)
    store.put_image(
        Image(release=other.digest, repository="trackback/x", digest=f"sha256:{'1' * 64}", base=f"sha256:{'2' * 64}")
    )
    found = difference(store.any_release("1-aaaaaaaa"), store.any_release(other.digest[:10]))
    told = {(change.kind, change.name): (change.live, change.candidate) for change in found.changes}
    assert told["parameter", "price_per_carat"] == ("4000.0", "5000.0")
    assert told["image", "image"] == (None, f"trackback/x@sha256:{'1' * 64}")
    assert told["served", "model"] == (one.manifest.candidate.digest, other.manifest.candidate.digest)
    assert f"  {'parameter':12} price_per_carat: 4000.0 → 5000.0" in lines(found)
    same = difference(store.any_release("2-aaaaaaaa"), store.any_release("2-aaaaaaaa"))
    assert lines(same)[1:] == ["  nothing that was recorded differs"]


@pytest.mark.parametrize("wanted", ["", "9-aaaaaaaa", "zz", "f" * 64, "../x", "*"])
def test_a_release_that_is_not_in_the_store_is_refused(wanted: str, store: Path, digests: list[str]) -> None:
    assert digests
    with pytest.raises(Refused, match=r"expected one release '.*found none: give its revision or digest"):
        Store(store).any_release(wanted)


def test_releases_of_two_models_have_no_difference(tmp_path: Path) -> None:
    one, other = (build_release(tmp_path, ReleasePlan(model=name)) for name in ("diamond-price", "language-id"))
    with pytest.raises(Refused, match="found one of diamond-price and one of language-id"):
        difference(one, other)
    with pytest.raises(Refused, match="found 2 of them"):
        Store(tmp_path).any_release("1-aaaaaaaa")

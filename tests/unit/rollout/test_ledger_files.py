"""The ledger on disk: what a crash, a full disk or a hand did to it."""

import os
from pathlib import Path

import pytest

from services.contract import names
from services.contract.deployment import Retirement
from services.contract.ledger import FaultKind
from services.rollout.state import JournalEntry, JournalEvent, ModelFiles, Pointer, make_key, next_pointer, retired
from tests.unit.rollout.test_state import WHEN, deployment, live

MODEL = "diamond-price"
OLDER = Path(__file__).parent / "fixtures" / "journal-before-the-chain.jsonl"


def down(message: str) -> JournalEntry:
    return JournalEntry(at=WHEN, event=JournalEvent.DOWN, message=message)


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    make_key(tmp_path)
    found = ModelFiles(tmp_path, MODEL)
    for number in range(4):
        found.append(down(f"reason {number}"))
    return found


def journal(state: Path) -> Path:
    return state / MODEL / names.JOURNAL_FILE


def test_the_key_is_for_its_owner_alone_and_signs_every_checkpoint(files: ModelFiles, tmp_path: Path) -> None:
    key = tmp_path / names.LEDGER_FOLDER / names.LEDGER_KEY
    before = key.read_bytes()
    make_key(tmp_path)
    assert (key.stat().st_mode & 0o777, key.read_bytes()) == (0o600, before)
    told = files.audit()
    assert (told.intact, told.signed, told.lines) == (True, True, 4)
    assert told.checkpoint
    assert told.checkpoint.lines == 4


def test_without_a_key_checkpoints_are_not_signed_and_count_all_the_same(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, MODEL)
    files.append(down("a"))
    files.append(down("b"))
    assert (files.audit().intact, files.audit().signed) == (True, False)
    os.truncate(journal(tmp_path), len(journal(tmp_path).read_bytes().splitlines(keepends=True)[0]))
    fault = files.audit().fault
    assert fault
    assert fault.kind is FaultKind.TRUNCATED


def test_a_journal_from_before_the_chain_is_read_and_goes_on_as_a_ledger(tmp_path: Path) -> None:
    journal(tmp_path).parent.mkdir(parents=True)
    journal(tmp_path).write_bytes(OLDER.read_bytes())
    files = ModelFiles(tmp_path, MODEL)
    files.append(live(2))
    assert journal(tmp_path).read_bytes().startswith(OLDER.read_bytes())
    assert [one.revision for one in files.deployments()] == ["1-aaaaaaaa", "2-aaaaaaaa"]
    told = files.audit()
    assert (told.intact, told.lines, told.unchained) == (True, 4, 3)


def test_a_line_that_the_disk_took_half_of_is_gone_before_the_next_one(
    files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = journal(tmp_path).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr("services.rollout.state.os.fsync", full)
        files.append(down("never written"))
    assert journal(tmp_path).read_bytes() == before
    files.append(down("written"))
    assert (files.audit().intact, files.audit().lines) == (True, 5)


def test_a_checkpoint_that_cannot_be_written_stops_nothing(files: ModelFiles, tmp_path: Path) -> None:
    kept = tmp_path / names.LEDGER_FOLDER / f"{MODEL}.json"
    kept.unlink()
    kept.mkdir()
    files.append(down("one more"))
    assert len(list(files.entries())) == 5


@pytest.mark.usefixtures("files")
def test_what_was_cut_off_while_the_service_was_down_stays_found_however_long_the_ledger_gets(tmp_path: Path) -> None:
    lines = journal(tmp_path).read_bytes().splitlines(keepends=True)
    journal(tmp_path).write_bytes(b"".join(lines[:2]))
    for _ in range(2):
        again = ModelFiles(tmp_path, MODEL)
        again.repair()
        again.append(down("life goes on"))
    told = again.audit()
    assert told.fault
    assert (told.fault.line, told.fault.kind) == (3, FaultKind.RECORDED)
    assert "expected 4 lines" in told.fault.words
    assert [one.event for one in again.entries()].count(JournalEvent.BROKEN) == 1


def test_a_ledger_that_was_removed_with_its_folder_is_missed(files: ModelFiles, tmp_path: Path) -> None:
    journal(tmp_path).unlink()
    fault = files.audit().fault
    assert fault
    assert (fault.line, fault.kind) == (1, FaultKind.TRUNCATED)


def test_a_retirement_that_only_the_pointer_knows_is_added_once(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, MODEL)
    files.append(live(1))
    before = next_pointer(None, deployment(1))
    files.point(retired(before, Retirement(at=WHEN, by="ada", reason="", deployment=deployment(1))))
    for _ in range(2):
        files.repair()
    assert [one.event for one in files.entries()] == ["live", "retired"]
    assert files.deployments() == [deployment(1)]


def test_what_was_retired_and_is_back_goes_back_to_the_one_before_it_not_to_itself() -> None:
    both = next_pointer(next_pointer(None, deployment(1)), deployment(2))
    gone = retired(both, Retirement(at=WHEN, by="ada", reason="", deployment=deployment(2)))
    assert (gone.live, gone.back) == (None, deployment(2))
    assert next_pointer(gone, deployment(2)) == both
    assert next_pointer(gone, deployment(3)).previous == deployment(2)


def test_a_pointer_of_before_is_read_as_it_is() -> None:
    older = next_pointer(None, deployment(1)).model_dump(mode="json")
    older.pop("retired")
    assert Pointer.model_validate(older).retired is None

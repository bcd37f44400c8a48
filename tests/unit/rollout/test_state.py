"""What is on disk decides: the pointer says who is live, the journal tells how it came to that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.contract.deployment import Action, Deployment
from services.contract.errors import Refused
from services.rollout.fence import check_fence
from services.rollout.state import Address, JournalEntry, JournalEvent, ModelFiles, Pointer, next_pointer

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def deployment(number: int, release: str = "") -> Deployment:
    return Deployment(
        model="diamond-price",
        revision=f"{number}-aaaaaaaa",
        release=release or f"{number:064x}",
        run_id="a" * 32,
        action=Action.DEPLOY,
        at=WHEN,
        by="ada",
        reason="",
    )


def pointer(*numbers: int) -> Pointer:
    found: Pointer | None = None
    for number in numbers:
        found = next_pointer(found, deployment(number))
    assert found
    return found


def live(number: int) -> JournalEntry:
    return JournalEntry(at=WHEN, event=JournalEvent.LIVE, release=f"{number:064x}", deployment=deployment(number))


def test_the_first_delivery_of_a_model_passes_the_fence() -> None:
    assert check_fence(None, "0" * 64, 1) is None


def test_a_newer_promotion_passes_the_fence() -> None:
    assert check_fence(pointer(1, 2), f"{3:064x}", 3) is None


def test_the_release_that_is_live_is_returned_and_not_delivered_again() -> None:
    assert check_fence(pointer(1, 2), f"{2:064x}", 2) == deployment(2)


def test_an_older_promotion_is_refused_with_both_numbers() -> None:
    with pytest.raises(Refused, match="after number 12, found number 9"):
        check_fence(pointer(9, 12), f"{9:064x}", 9)


def test_a_rollback_does_not_open_the_fence_for_promotions_in_between() -> None:
    with pytest.raises(Refused, match="after number 3, found number 2"):
        check_fence(pointer(1, 3, 1), f"{2:064x}", 2)


def test_one_promotion_cannot_be_two_releases() -> None:
    with pytest.raises(Refused, match="promotion 2 was delivered as another release"):
        check_fence(pointer(1, 2), "f" * 64, 2)


def test_a_release_that_was_rolled_back_comes_back_by_a_promotion_only() -> None:
    with pytest.raises(Refused, match="promotion 2 was live and is not any more: promote its run again"):
        check_fence(pointer(1, 2, 1), f"{2:064x}", 2)


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    assert (files.pointer(), files.address(), files.deployments()) == (None, Address(), [])
    files.point(pointer(1, 2))
    files.assign(Address(port=8200, slot="slot-07"))
    files.append(live(1))
    files.append(JournalEntry(at=WHEN, event=JournalEvent.REFUSED, release="0" * 64, message="it said no"))
    files.append(live(2))
    again = ModelFiles(tmp_path, "diamond-price")
    assert (again.pointer(), again.address()) == (pointer(1, 2), Address(port=8200, slot="slot-07"))
    assert again.deployments() == [deployment(1), deployment(2)]


def test_a_half_written_line_is_cut_off_and_the_pointers_deployment_is_added(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    files.append(live(1))
    files.point(pointer(1, 2))
    with (tmp_path / "diamond-price" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"at": "2026-')
    files.repair()
    files.repair()
    assert files.deployments() == [deployment(1), deployment(2)]


def test_a_journal_that_was_edited_is_refused_with_its_line(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path, "diamond-price")
    files.append(live(1))
    with (tmp_path / "diamond-price" / "journal.jsonl").open("ab") as journal:
        journal.write(b"{}\n")
    with pytest.raises(Refused, match=r"journal\.jsonl:2 is not a JournalEntry"):
        files.deployments()

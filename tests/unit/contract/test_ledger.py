"""The chain of a ledger: what was done to it is found, and its first line is named."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.ledger import Audit, Checkpoint, FaultKind, Head, JournalEntry, JournalEvent, audit, chained

MODEL = "diamond-price"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = b"a key"
OLD = b'{"at":"2026-01-01T00:00:00Z","event":"started","release":"' + b"0" * 64 + b'","message":"","deployment":null}'
Lines = list[bytes]


def journal(count: int, before: Lines | None = None) -> Lines:
    """`count` chained lines behind those of `before`."""
    lines = list(before or [])
    head = Head.of(joined(lines))
    for number in range(count):
        entry = JournalEntry(at=WHEN, event=JournalEvent.DOWN, message=f"reason {number}, „€“", by="ada")
        line, head = chained(entry, head)
        lines.append(line)
    return lines


def joined(lines: Lines) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def checkpoint(lines: Lines) -> Checkpoint:
    return Checkpoint(model=MODEL, lines=len(lines), hash=Head.of(joined(lines)).hash, at=WHEN).signed(KEY)


def audited(lines: Lines, held: Checkpoint | None = None) -> Audit:
    return audit(MODEL, joined(lines), held, KEY if held else None)


def found(lines: Lines, held: Checkpoint | None = None) -> tuple[int, FaultKind] | None:
    fault = audited(lines, held).fault
    return (fault.line, fault.kind) if fault else None


def test_a_line_is_hashed_over_its_other_fields_and_holds_the_hash_of_the_one_before() -> None:
    """Computed as the module's docstring says it, by hand."""
    first, second = (json.loads(line) for line in journal(2))
    assert first["before"] == hashlib.sha256(b"").hexdigest()
    assert (second["number"], second["before"]) == (2, first["hash"])
    own = second.pop("hash")
    rest = json.dumps(second, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert own == hashlib.sha256(rest.encode()).hexdigest()


@pytest.mark.parametrize("before", [[], [OLD], [OLD, OLD]])
def test_a_ledger_that_nobody_touched_is_intact_also_behind_lines_from_before_the_chain(before: Lines) -> None:
    lines = journal(3, before)
    told = audited(lines, checkpoint(lines))
    assert (told.intact, told.lines, told.unchained, told.signed) == (True, len(lines), len(before), True)


def edited(line: bytes) -> bytes:
    return line.replace(b'"ada"', b'"eve"')


def forged(line: bytes) -> bytes:
    """Edited, and its own hash made to fit again."""
    content = json.loads(edited(line))
    content.pop("hash")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["hash"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


DONE: dict[str, tuple[Callable[[Lines], Lines], tuple[int, FaultKind]]] = {
    "a word edited": (lambda it: [*it[:2], edited(it[2]), *it[3:]], (3, FaultKind.CHANGED)),
    "a blank added": (lambda it: [*it[:2], it[2].replace(b":", b": ", 1), *it[3:]], (3, FaultKind.CHANGED)),
    "a key given twice": (
        lambda it: [*it[:2], it[2].replace(b"{", b'{"by":"eve",', 1), *it[3:]],
        (3, FaultKind.CHANGED),
    ),
    "a field added": (lambda it: [*it[:2], it[2].replace(b"{", b'{"aa":1,', 1), *it[3:]], (3, FaultKind.CHANGED)),
    "no JSON any more": (lambda it: [*it[:2], b"{}}", *it[3:]], (3, FaultKind.CHANGED)),
    "edited with a new hash": (lambda it: [*it[:2], forged(it[2]), *it[3:]], (3, FaultKind.CHANGED)),
    "its hash taken out": (lambda it: [*it[:2], it[2].split(b',"hash"')[0] + b"}", *it[3:]], (3, FaultKind.CHANGED)),
    "one removed": (lambda it: [*it[:2], *it[3:]], (3, FaultKind.MISSING)),
    "the first removed": (lambda it: it[1:], (1, FaultKind.MISSING)),
    "two exchanged": (lambda it: [*it[:2], it[3], it[2], *it[4:]], (3, FaultKind.REORDERED)),
    "one moved to the end": (lambda it: [*it[:2], *it[3:], it[2]], (3, FaultKind.REORDERED)),
    "one written twice": (lambda it: [*it[:3], it[2], *it[3:]], (4, FaultKind.REPEATED)),
    "the last two cut off": (lambda it: it[:-2], (5, FaultKind.TRUNCATED)),
    "all cut off": (lambda _: [], (1, FaultKind.TRUNCATED)),
    "the last edited with a new hash": (lambda it: [*it[:-1], forged(it[-1])], (6, FaultKind.CHANGED)),
    "written anew from the third on": (lambda it: journal(4, it[:2]), (6, FaultKind.CHANGED)),
    "every hash taken out": (lambda it: [one.split(b',"hash"')[0] + b"}" for one in it], (6, FaultKind.CHANGED)),
}


@pytest.mark.parametrize("what", DONE)
def test_what_was_done_to_a_line_is_found_and_the_first_line_is_named(what: str) -> None:
    change, expected = DONE[what]
    lines = journal(6)
    assert found(change(lines), checkpoint(lines)) == expected


def test_older_lines_are_sealed_by_the_first_of_the_chain() -> None:
    lines = journal(2, [OLD, OLD])
    told = audited([OLD, OLD.replace(b"started", b"refused"), *lines[2:]])
    assert told.fault
    assert (told.fault.line, told.fault.kind) == (2, FaultKind.CHANGED)
    assert "not those that line 3 sealed" in told.fault.words
    assert found([OLD, *lines[2:]]) == (2, FaultKind.MISSING)


def test_what_is_cut_off_at_the_end_needs_a_checkpoint_to_be_found() -> None:
    lines = journal(6)
    assert found(lines[:4]) is None
    assert found(lines[:4], checkpoint(lines[:5])) == (5, FaultKind.TRUNCATED)
    assert found(lines, checkpoint(lines[:5])) is None


def test_a_checkpoint_that_somebody_else_wrote_is_no_proof() -> None:
    lines = journal(3)
    moved = checkpoint(lines).model_copy(update={"lines": 2})
    assert found(lines[:2], moved) == (2, FaultKind.UNSIGNED)
    assert found(lines, checkpoint(lines).model_copy(update={"signature": None})) == (3, FaultKind.UNSIGNED)
    assert found(lines, checkpoint(lines).signed(b"another key")) == (3, FaultKind.UNSIGNED)


def test_a_signature_is_hmac_of_the_checkpoints_other_fields() -> None:
    signed = checkpoint(journal(1))
    rest = {"at": "2026-01-02T03:04:05Z", "hash": signed.hash, "lines": 1, "model": MODEL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    assert signed.signature == hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def test_a_line_that_is_being_written_is_not_counted() -> None:
    lines = journal(2)
    told = audit(MODEL, joined(lines) + b'{"at":"2026', None, None)
    assert (told.intact, told.lines) == (True, 2)


def test_a_carriage_return_ends_no_line() -> None:
    content = joined(journal(3)).replace(b"\n", b"\r", 1)
    assert not audit(MODEL, content, checkpoint(journal(3)), KEY).intact


@given(st.data())
def test_no_single_byte_of_a_chained_line_can_be_another(data: st.DataObject) -> None:
    content = joined(journal(3))
    place = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda one: one != content[place]))
    changed = content[:place] + bytes([other]) + content[place + 1 :]
    assert not audit(MODEL, changed, checkpoint(journal(3)), KEY).intact

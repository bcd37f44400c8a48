"""What a batch writes is there whole or not at all, whenever it ends, and nothing is done twice."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.batch.files import Files
from services.batch.output import MARKER, RECEIPT, Output
from services.batch.parts import Part, Plan, Written
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from tests.support.batch_disk import Ended, MemoryFiles
from tests.support.receipts import any_receipt

PLACE = "s3a://bucket/out"
TOLD = any_receipt()


def planned(key: str, parts: int = 3) -> Plan:
    return Plan(key=key * 64, parts=tuple(Part(number=n, files=(f"in-{n}",), rows=2) for n in range(parts)))


def whole(plan: Plan) -> dict[str, str]:
    """The output that there should be, without receipt and marker; the second part has a rejected row."""
    rows = {f"scored/part-{part.number:05d}-000.parquet": f"{plan.key} {part.number}" for part in plan.parts}
    return rows | {"rejected/part-00001-001.parquet": f"{plan.key} rejected"}


@dataclass
class Run:
    """A batch without Spark: it writes parts, and counts those that it had to write."""

    files: MemoryFiles
    overwrite: bool = False
    done: list[int] = field(default_factory=list)

    def __call__(self, plan: Plan) -> Receipt:
        output = Output(cast(Files, self.files), PLACE)
        output.check_ours()
        if not self.overwrite and (before := output.before(plan.key)):
            return before
        output.check_free(self.overwrite)
        written = output.begin(plan)
        for part in plan.parts:
            if part.number not in written:
                written[part.number] = self._write(output, plan, part)
        place = output.gather([written[part.number] for part in plan.parts])
        output.finish(place, plan.key, TOLD)
        return TOLD

    def _write(self, output: Output, plan: Plan, part: Part) -> Written:
        folder = f"{output.staging}/parts/{part.number}-{len(self.done)}-{id(self)}"
        self.done.append(part.number)
        self.files.write(f"{folder}/scored/part-0-x.parquet", f"{plan.key} {part.number}")
        if part.number == 1:
            self.files.write(f"{folder}/rejected/part-0-x.parquet", f"{plan.key} rejected")
        self.files.write(f"{folder}/scored/_SUCCESS", "")
        one = Written(number=part.number, folder=folder, files=output.files_of(folder), scored=2, rejected=0)
        output.record(one)
        return one


def shown(files: MemoryFiles) -> dict[str, str]:
    return {path: text for path, text in files.below(PLACE).items() if path not in (MARKER, RECEIPT)}


def changes_of(at_once: bool, before: Plan | None, plan: Plan) -> int:
    """How many changes a whole run makes."""
    files = started(at_once, before)
    files.changes = most = 10_000
    Run(files, overwrite=True)(plan)
    return most - files.changes


def started(at_once: bool, before: Plan | None) -> MemoryFiles:
    files = MemoryFiles(at_once)
    if before:
        Run(files)(before)
    return files


@pytest.mark.parametrize("at_once", [True, False], ids=["folders are renamed", "a store of objects"])
@pytest.mark.parametrize("before", [None, planned("b")], ids=["a new output", "in the place of another"])
def test_a_run_that_ends_at_any_moment_shows_nothing_half_and_the_next_one_ends_it(
    at_once: bool, before: Plan | None
) -> None:
    plan = planned("a")
    for moment in range(changes_of(at_once, before, plan)):
        files = started(at_once, before)
        files.changes = moment
        with pytest.raises(Ended):
            Run(files, overwrite=True)(plan)
        if (marker := files.read(f"{PLACE}/{MARKER}")) is not None:
            assert shown(files) == whole(plan if marker == plan.key else planned("b")), moment
        elif at_once:
            assert files.below(PLACE) == {}, moment
        files.changes = 10_000
        Run(files, overwrite=True)(plan)
        assert shown(files) == whole(plan), moment
        assert files.read(f"{PLACE}/{MARKER}") == plan.key
        assert not files.exists("s3a://bucket/_out.trackback"), moment


@pytest.mark.parametrize("at_once", [True, False])
def test_another_batch_after_one_that_ended_at_any_moment_is_whole_as_well(at_once: bool) -> None:
    plan, other = planned("a"), planned("c", parts=2)
    for moment in range(changes_of(at_once, None, plan)):
        files = MemoryFiles(at_once, changes=moment)
        with pytest.raises(Ended):
            Run(files)(plan)
        files.changes = 10_000
        Run(files, overwrite=True)(other)
        assert shown(files) == whole(other), moment


def test_a_run_after_one_that_ended_does_only_the_parts_that_are_missing() -> None:
    plan, files = planned("a"), MemoryFiles()
    first = Run(files)
    # Folder and plan, and of two parts the files and the record.
    files.changes = 2 + 3 + 4
    with pytest.raises(Ended):
        first(plan)
    files.changes = 10_000
    second = Run(files)
    second(plan)
    assert (first.done, second.done) == ([0, 1, 2], [2])


def test_a_second_run_of_the_same_does_nothing() -> None:
    plan, files = planned("a"), MemoryFiles()
    Run(files)(plan)
    files.changes = 0
    assert Run(files)(plan) == TOLD


def test_the_output_of_another_batch_is_replaced_only_when_that_is_asked_for() -> None:
    files = started(True, planned("b"))
    with pytest.raises(Refused, match="that of another release or input"):
        Run(files)(planned("a"))
    assert shown(files) == whole(planned("b"))


def test_files_that_no_batch_has_written_are_never_replaced() -> None:
    files = MemoryFiles()
    files.write(f"{PLACE}/thesis.txt", "years of work")
    with pytest.raises(Refused, match="found files: choose another"):
        Run(files, overwrite=True)(planned("a"))
    assert files.below(PLACE) == {"thesis.txt": "years of work"}


def test_an_output_without_a_folder_of_its_own_is_refused() -> None:
    with pytest.raises(Refused, match="name one below it"):
        Output(cast(Any, MemoryFiles()), "s3a://bucket")


@pytest.mark.parametrize("below", ["out", "deep/er"])
def test_an_output_that_the_next_run_would_take_for_its_input_is_refused(below: str) -> None:
    with pytest.raises(Refused, match=f"/in/{below}: expected an output outside of the input, found it below"):
        Output(cast(Files, MemoryFiles()), f"file:///in/{below}").check_apart("file:///in/")


@pytest.mark.parametrize("address", ["file:///data/in-out", "file:///data/in/_scored", "file:///out/data"])
def test_an_output_beside_the_input_or_hidden_in_it_is_taken(address: str) -> None:
    Output(cast(Files, MemoryFiles()), address).check_apart("file:///data/in")

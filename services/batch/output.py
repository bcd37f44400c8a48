"""What a batch writes: parts in a staging folder beside the output, each committed by itself, then all of it at once.

A part has a record when it is whole, and none before. The output has `_SUCCESS`, which is written last, or with the
rename that makes all of it visible; in it stands the key of the plan, by which a second run knows its own work.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from services.batch.files import Files
from services.batch.parts import Plan, Written
from services.contract import names
from services.contract.errors import Refused
from services.contract.receipt import Receipt

MARKER, RECEIPT = "_SUCCESS", names.RECEIPT_FILE
SCORED, REJECTED = "scored", "rejected"
_PLAN, _MOVING, _CLEARED = "plan.json", "moving", "cleared"
_AT_ONCE = 8


class Output:
    def __init__(self, files: Files, address: str) -> None:
        self._files, self.address = files, address.rstrip("/")
        parent, _, name = self.address.rpartition("/")
        if not name or parent.endswith("/"):
            raise Refused(f"{address}: expected a folder for the output, found none: name one below it")
        self.staging = f"{parent}/_{name}.trackback"

    def check_apart(self, source: str) -> None:
        """Raises Refused where the next run would take this output for its input."""
        below = self.address.removeprefix(f"{source.rstrip('/')}/")
        if below != self.address and not below.startswith(("_", ".")):
            raise Refused(f"{self.address}: expected an output outside of the input, found it below {source}")

    def before(self, key: str) -> Receipt | None:
        """The receipt of a run before that wrote just this, None where it is still to be written."""
        if not self._has(key):
            return None
        # It may have ended before this.
        self._drop()
        text = self._files.read(f"{self.address}/{RECEIPT}")
        return None if text is None else Receipt.from_json(text, f"{self.address}/{RECEIPT}")

    def check_ours(self) -> None:
        """Raises Refused where something is that no batch has written: it is never replaced."""
        found = [name for name in self._files.names(self.address) if not name.endswith(".crc")]
        unfinished = self._files.exists(f"{self.staging}/{_MOVING}")
        if found and not {MARKER, RECEIPT} <= set(found) and not unfinished:
            raise Refused(f"{self.address}: expected an empty place for the output, found files: choose another")

    def check_free(self, overwrite: bool) -> None:
        """Raises Refused where the output of another batch is."""
        if self._files.exists(f"{self.address}/{MARKER}") and not overwrite:
            raise Refused(
                f"{self.address}: expected an empty place for the output, found that of another release or input: "
                "choose another, or replace it with --overwrite"
            )

    def begin(self, plan: Plan) -> dict[int, Written]:
        """The parts that a run before left whole; what it left of another plan is gone."""
        known = self._files.read(f"{self.staging}/{_PLAN}")
        if known is None or Plan.from_json(known, self.staging).key != plan.key or self._has(plan.key):
            if self._files.exists(f"{self.staging}/{_CLEARED}") and not self._files.exists(f"{self.address}/{MARKER}"):
                self._files.delete(self.address)
            self._drop()
            self._files.make_folder(f"{self.staging}/records")
            self._files.write(f"{self.staging}/{_PLAN}", plan.to_json())
        records = (self._files.read(f"{self.staging}/records/{part.number}.json") for part in plan.parts)
        written = [Written.from_json(record, self.staging) for record in records if record]
        return {one.number: one for one in written}

    def record(self, written: Written) -> None:
        self._files.write(f"{self.staging}/records/{written.number}.json", written.to_json())

    def files_of(self, folder: str) -> tuple[str, ...]:
        """Of a part, in their order."""
        return tuple(
            f"{kind}/{name}"
            for kind in (SCORED, REJECTED)
            for name in sorted(self._files.names(f"{folder}/{kind}"))
            if name.startswith("part-")
        )

    def gather(self, written: Iterable[Written]) -> str:
        """Moves the parts to where they are one output, and returns that place."""
        # Where a folder cannot be renamed at once, its files are moved to their place, and the marker comes last.
        at_once = self._files.renames(self.address)
        place = f"{self.staging}/output" if at_once else self.address
        if not at_once:
            self._clear()
        for kind in (SCORED, REJECTED):
            self._files.make_folder(f"{place}/{kind}")
        moves = [move for one in written for move in _moves(one, place)]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="move") as pool:
            list(pool.map(lambda move: self._files.move_file(*move), moves))
        return place

    def finish(self, place: str, key: str, receipt: Receipt) -> None:
        """Makes it visible."""
        self._files.write(f"{place}/{RECEIPT}", receipt.to_json())
        self._files.write(f"{place}/{MARKER}", key)
        if place != self.address:
            replaced = f"{self.staging}/replaced"
            if self._files.exists(self.address):
                self._files.move_folder(self.address, replaced)
            self._files.move_folder(place, self.address)
        self._drop()

    def _clear(self) -> None:
        """Takes away what stands in the output's place, its marker first. Both steps leave a word for the next run:
        files without a marker are ours, and from when on they are those of this plan."""
        self._files.write(f"{self.staging}/{_MOVING}", "")
        if not self._files.exists(f"{self.staging}/{_CLEARED}"):
            self._files.delete(f"{self.address}/{MARKER}")
            self._files.delete(self.address)
            self._files.write(f"{self.staging}/{_CLEARED}", "")

    def _has(self, key: str) -> bool:
        return self._files.read(f"{self.address}/{MARKER}") == key

    def _drop(self) -> None:
        """Without its plan, no run goes on with what is left of it."""
        self._files.delete(f"{self.staging}/{_PLAN}")
        self._files.delete(self.staging)


def _moves(written: Written, place: str) -> Iterable[tuple[str, str]]:
    for count, file in enumerate(written.files):
        kind, _, name = file.partition("/")
        suffix = name[name.index(".") :] if "." in name else ""
        yield f"{written.folder}/{file}", f"{place}/{kind}/part-{written.number:05d}-{count:03d}{suffix}"

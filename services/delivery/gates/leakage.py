"""Whether the candidate was trained on rows of the hold-out: by the hashes of rows that training logged."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from services.contract.candidate import Candidate, DataSchema
from services.contract.cells import is_missing
from services.contract.model_config import ModelConfig
from services.contract.record import Cell
from services.contract.verdict import Check
from services.delivery.gates.checks import check, undecided
from services.delivery.scoring.holdout import Holdout
from services.delivery.store import Store

if TYPE_CHECKING:
    from services.delivery.statistics.overlap import Overlap

GATE = "leakage"
_SHOWN = 5
_ROWS = "hold-out rows with the inputs of a training row and its target"
_INPUTS = "different hold-out rows with the inputs of a training row and another target"
_ROUNDING = 1e-9


def leakage_checks(store: Store, candidate: Candidate, holdout: Holdout, config: ModelConfig) -> list[Check]:
    """Of equal rows and of equal inputs. Raises Refused when the store does not have what was fetched."""
    run = candidate.run
    if run.row_hashes is None or run.training is None:
        return [_not_recorded()]
    # NumPy is there already: the verb waits for a child process meanwhile.
    from services.contract.row_hashes import read_row_hashes, row_hashes
    from services.delivery.statistics.overlap import equal_inputs, equal_rows

    training = read_row_hashes(store.row_hashes(run.row_hashes), run.training.rows)
    held_out = row_hashes(store.holdout(run.holdout.sha256).read_bytes())
    rows, inputs, declared = equal_rows(training, held_out), equal_inputs(training, held_out), config.gates.overlap
    apart = _equal_rows_fall_on_one_side(run.data_schema)
    return [
        _Kind("rows", _ROWS, declared.rows, apart).judged(rows, holdout, config),
        _Kind("inputs", _INPUTS, declared.inputs, False).judged(inputs, holdout, config),
    ]


def _not_recorded() -> Check:
    return undecided(
        GATE,
        "hashes of the training rows in the run",
        "none, so nobody can tell whether it was trained on the hold-out: train it again with `trackback train` or "
        "`import trackback`, or accept it with a reason",
    )


def _equal_rows_fall_on_one_side(schema: DataSchema) -> bool:
    return schema.split_by is None and schema.split_by_time is None


@dataclass(frozen=True)
class _Kind:
    """Of overlap, as gates.overlap names it: what `overlaps`, in words, and the declared share of them. Without one
    there may be as many as the data has by itself, which is none where equal rows fall on one side (`apart`)."""

    name: str
    overlaps: str
    declared: float | None
    apart: bool

    def judged(self, found: "Overlap", holdout: Holdout, config: ModelConfig) -> Check:
        most, why = self._most(found)
        count = len(found.places)
        told = f"{count} ({count / found.rows:.2%})" if count else "none"
        expected = f"{f'at most {most}' if most else 'none'} of {found.rows} {self.overlaps} ({why})"
        name = f"{GATE} of {self.name}"
        if count <= most:
            return check(GATE, True, expected, told, name)
        failed = check(GATE, False, expected, f"{told}: {self._to_do(found)}", name)
        return failed.model_copy(update={"examples": tuple(islice(_examples(found, holdout, config), _SHOWN))})

    def _most(self, found: "Overlap") -> tuple[int, str]:
        if self.declared is not None:
            return math.floor(self.declared * found.rows + _ROUNDING), f"gates.overlap.{self.name} is {self.declared:g}"
        if self.apart:
            return 0, "the split puts equal rows on one side"
        return found.by_chance, f"{found.natural:.2%} of the training rows have one among themselves"

    def _to_do(self, found: "Overlap") -> str:
        share = math.ceil(1000 * len(found.places) / found.rows) / 1000
        return f"train without them; if such rows are no leak, declare gates.overlap.{self.name}, at least {share:g}"


def _examples(found: "Overlap", holdout: Holdout, config: ModelConfig) -> Iterator[dict[str, Cell]]:
    columns = [*config.data.columns, config.data.target]
    for place in found.places:
        cells = [*holdout.rows[place], holdout.actual[place]]
        yield {name: None if is_missing(cell) else cell for name, cell in zip(columns, cells, strict=True)}

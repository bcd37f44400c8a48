"""Whether the candidate was trained on rows of the hold-out: by the hashes of rows that training logged."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
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


def leakage_checks(store: Store, candidate: Candidate, holdout: Holdout, config: ModelConfig) -> list[Check]:
    """Of equal rows and of equal inputs. Raises Refused when the store does not have what was fetched."""
    run = candidate.run
    if run.row_hashes is None or run.training is None:
        return [_not_recorded()]
    # NumPy is there already: the verb waits for a child process meanwhile.
    from services.contract.row_hashes import read_row_hashes, row_hashes
    from services.delivery.statistics.overlap import equal_inputs, equal_rows

    training = read_row_hashes(store.row_hashes(run.row_hashes), run.training.rows)
    held_out = row_hashes(Path(store.holdout(run.holdout.sha256)).read_bytes())
    rows, inputs, declared = equal_rows(training, held_out), equal_inputs(training, held_out), config.gates.overlap
    apart = _equal_rows_fall_on_one_side(run.data_schema)
    return [
        _Judged("rows", "is a training row", holdout, config).of(rows, declared.rows, apart),
        _Judged("inputs", "has the inputs of a training row with another target", holdout, config).of(
            inputs, declared.inputs, False
        ),
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
class _Judged:
    """One kind of overlap: `kind` as gates.overlap names it, `said` of a hold-out row that overlaps."""

    kind: str
    said: str
    holdout: Holdout
    config: ModelConfig

    def of(self, found: "Overlap", declared: float | None, apart: bool) -> Check:
        """`declared` is a share of the hold-out; without one the overlap may be what the data has by itself, which is
        none where equal rows fall on one side of the split (`apart`)."""
        most, why = self._most(found, declared, apart)
        count = len(found.places)
        share = f"{count} ({count / found.rows:.2%})" if count else "none"
        judged = check(
            GATE,
            count <= most,
            f"{'at most ' if most else 'no '}{most or 'row'} of {found.rows} hold-out rows that {self.said} ({why})",
            share if count <= most else f"{share}: {self._to_do(found)}",
            f"{GATE} of {self.kind}",
        )
        return judged.model_copy(update={"examples": tuple(islice(self._examples(found), _SHOWN))})

    def _most(self, found: "Overlap", declared: float | None, apart: bool) -> tuple[int, str]:
        if declared is not None:
            return int(declared * found.rows), f"gates.overlap.{self.kind} is {declared:g}"
        if apart:
            return 0, "the split puts equal rows on one side"
        return found.by_chance, f"{found.natural:.2%} of the training rows have one among themselves"

    def _to_do(self, found: "Overlap") -> str:
        return (
            "train without them; if the data has such rows by nature, declare at least "
            f"{len(found.places) / found.rows:.2g} as gates.overlap.{self.kind}"
        )

    def _examples(self, found: "Overlap") -> Iterator[dict[str, Cell]]:
        columns = [*self.config.data.columns, self.config.data.target]
        for place in found.places:
            cells = [*self.holdout.rows[place], self.holdout.actual[place]]
            yield {name: None if is_missing(cell) else cell for name, cell in zip(columns, cells, strict=True)}

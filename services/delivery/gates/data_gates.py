"""What a candidate's data says, worked out while the candidate itself is asked in a child process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from services.contract.candidate import Candidate
from services.contract.verdict import Check
from services.delivery.gates.holdout import class_checks, row_check
from services.delivery.gates.leakage import leakage_checks
from services.delivery.gates.single_column import ColumnSkills, column_skills
from services.delivery.scoring.beside import beside
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import Scorer


@dataclass(frozen=True)
class DataGates:
    """The hold-out beside the training rows, and beside the answers when there are some."""

    rows: Check
    holdout: Holdout
    beside: Callable[[], tuple[list[Check], ColumnSkills | None]]

    @classmethod
    def begun(cls, scorer: Scorer, candidate: Candidate, holdout: Holdout) -> Self:
        config = scorer.config
        return cls(
            rows=row_check(len(holdout.rows), config),
            holdout=holdout,
            beside=beside(
                lambda: (leakage_checks(scorer.store, candidate, holdout, config), column_skills(config, holdout))
            ),
        )

    def checks(self, scores: Scores | None) -> list[Check]:
        """Raises Refused when what was fetched is not in the store any more."""
        leakage, _ = self.beside()
        return [self.rows, *leakage, *(class_checks(scores, self.holdout.actual) if scores else ())]

    def warnings(self, scores: Scores) -> tuple[str, ...]:
        """None about answers that are not all finite."""
        _, alone = self.beside()
        complete = len(scores.finite) == len(self.holdout.rows)
        return alone.warnings(scores.predictions) if alone and complete else ()

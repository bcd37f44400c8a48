"""What the models answered to the hold-out, as the verbs hand it to the reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from services.contract.model_config import ModelConfig
from services.contract.prediction import Prediction
from services.contract.task import Task
from services.delivery.scoring.holdout import Holdout

Answers = Sequence[Prediction]


@dataclass(frozen=True)
class Evidence:
    """Rows, targets and answers in one order of rows; `candidate` and `live` are None where that model did not answer
    every row, or nothing is live."""

    task: Task
    target: str
    unit: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    actual: Sequence[Any]
    candidate: Answers | None
    live: Answers | None = None

    @classmethod
    def of(cls, config: ModelConfig, holdout: Holdout, candidate: Answers | None, live: Answers | None = None) -> Self:
        complete = [one if one and len(one) == len(holdout.rows) else None for one in (candidate, live)]
        columns = tuple(config.data.columns)
        return cls(config.task, config.data.target, config.data.unit, columns, holdout.rows, holdout.actual, *complete)

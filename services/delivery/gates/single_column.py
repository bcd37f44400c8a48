"""A warning where one column alone predicts about as well as the model: a target that leaked into it looks so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.contract.cells import is_missing
from services.contract.model_config import ModelConfig
from services.contract.moments import MOMENTS, seconds
from services.contract.prediction import Labelled, Prediction, number_of
from services.contract.release import Column
from services.delivery.scoring.holdout import Holdout

if TYPE_CHECKING:
    from services.delivery.statistics.single_column import Target

_NEARLY = 0.97
# Below it the model itself tells hardly more than a constant.
_LEAST = 0.05


@dataclass(frozen=True)
class ColumnSkills:
    """How well each column predicts on its own, and by what `places` of the hold-out and `labels` it was measured."""

    skills: Mapping[str, float]
    places: Sequence[int]
    target: "Target"
    labels: Mapping[str, int]

    def warnings(self, predictions: Sequence[Prediction | None]) -> tuple[str, ...]:
        """Of columns that are nearly as good as these answers to the hold-out, which are finite."""
        import numpy

        answers = [predictions[place] for place in self.places[self.target.half :]]
        model = self.target.skill(numpy.array([self._number(one) for one in answers if one is not None]))
        return tuple(
            f"column '{name}' alone predicts nearly as well as the model (skill {skill:.3f} of {model:.3f} over a "
            "constant): does it hold what is known only afterwards?"
            for name, skill in self.skills.items()
            if model > _LEAST and skill >= _NEARLY * model
        )

    def _number(self, answer: Prediction) -> float:
        if self.labels and isinstance(answer, Labelled):
            return self.labels.get(str(answer.label), -1)
        return number_of(answer)


def column_skills(config: ModelConfig, holdout: Holdout) -> ColumnSkills | None:
    """None for a model of one column, which has nothing to be compared with, and for a few rows."""
    if len(config.inputs) < 2:
        return None
    # First, because threads that import parts of scikit-learn at the same time may each see half of it.
    import services.contract.metrics  # noqa: F401, I001
    import numpy

    from services.delivery.statistics.single_column import Target, column_skill, sample

    if not (places := sample(len(holdout.rows), len(config.inputs))):
        return None
    actual = [holdout.actual[place] for place in places]
    labels = {name: number for number, name in enumerate(sorted(set(holdout.actual)))}
    labels = labels if config.task == "classification" else {}
    target = Target(numpy.array([labels[one] for one in actual] if labels else actual), bool(labels))
    rows = [holdout.rows[place] for place in places]
    skills = {
        column.name: column_skill([_cell(row[number], column) for row in rows], target)
        for number, column in enumerate(config.inputs)
    }
    return ColumnSkills(skills, places, target, labels)


def _cell(cell: Any, column: Column) -> Any:
    if is_missing(cell):
        return None
    return seconds(cell) if column.type in MOMENTS else cell

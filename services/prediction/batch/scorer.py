"""Scores batches of Arrow: what the online service would answer, and what it would refuse with its own words."""

from collections.abc import Iterator, Sequence

import pyarrow
import pyarrow.compute as arrow

from services.contract.errors import Refused
from services.contract.release import Column
from services.prediction.batch import typed_cells
from services.prediction.batch.answers import answer_by, answer_schema, answers_of, unanswered
from services.prediction.batch.cells import Cells
from services.prediction.invalid import MAX_PROBLEMS, Invalid
from services.prediction.predictor import Predictor
from services.prediction.table import column_problems

REASON = "reason"
_IDENTITY = ("model", "revision", "release")
_FIRST_ROW = "row 0, "


class BatchScorer:
    """`keep` are the input's columns that stand in the output as well, `cells` is how its cells are written."""

    def __init__(self, predictor: Predictor, keep: Sequence[str] = (), cells: Cells = typed_cells) -> None:
        self._predictor, self._keep, self._cells = predictor, tuple(keep), cells
        self._inputs = predictor.manifest.inputs
        self._answer = answer_by(predictor.model, predictor.manifest)
        self._answers = answer_schema(predictor.manifest.task)
        manifest = predictor.manifest
        self._identity = (manifest.model, manifest.revision, predictor.release.digest)

    def check_schema(self, schema: pyarrow.Schema) -> None:
        """Raises Refused for columns that are missing, given twice or of a type that the model does not take."""
        if problems := list(self._schema_problems(schema)):
            manifest = self._predictor.manifest
            said = "; ".join(problems[:MAX_PROBLEMS])
            raise Refused(f"expected columns that {manifest.model} {manifest.revision} takes, found: {said}")

    def scored_schema(self, schema: pyarrow.Schema) -> pyarrow.Schema:
        kept = [schema.field(name) for name in self._keep]
        return pyarrow.schema([*kept, *self._answers, *((name, pyarrow.string()) for name in _IDENTITY)])

    def rejected_schema(self, schema: pyarrow.Schema) -> pyarrow.Schema:
        return pyarrow.schema([*schema, (REASON, pyarrow.string())])

    def score(self, batch: pyarrow.RecordBatch) -> tuple[pyarrow.RecordBatch, pyarrow.RecordBatch]:
        """The rows with their answers, and those that the online service refuses with its reason; in their order."""
        answers = self._answers_at_once(batch)
        waiting = arrow.indices_nonzero(answers.column(0).is_null())
        if not len(waiting):
            return self._scored(batch, answers), self.rejected(batch.slice(0, 0), [])
        found, reasons = self._asked_alone(batch.take(waiting))
        answers = _with(answers, answers.column(0).is_null(), found)
        answered = answers.column(0).is_valid()
        refused = batch.filter(arrow.invert(answered))
        return self._scored(batch.filter(answered), answers.filter(answered)), self.rejected(refused, reasons)

    def rejected(self, batch: pyarrow.RecordBatch, reasons: Sequence[str]) -> pyarrow.RecordBatch:
        """Rows that are set aside for these reasons."""
        given = [self._cells.kept(column) for column in batch.columns]
        return pyarrow.RecordBatch.from_arrays(
            [*given, pyarrow.array(reasons, pyarrow.string())], schema=self.rejected_schema(batch.schema)
        )

    def _schema_problems(self, schema: pyarrow.Schema) -> Iterator[str]:
        names = schema.names
        yield from column_problems(names, self._inputs)
        for column in self._inputs:
            if names.count(column.name) == 1 and (
                problem := self._cells.problem(schema.field(column.name).type, column)
            ):
                yield problem
        for name in self._keep:
            if names.count(name) != 1:
                yield f"column '{name}', which is to be kept, is {'given twice' if name in names else 'missing'}"
        yield from self._name_problems(names)

    def _name_problems(self, names: Sequence[str]) -> Iterator[str]:
        ours = [*self._answers.names, *_IDENTITY]
        for name in self._keep:
            if name in ours:
                yield f"column '{name}', which is to be kept, has the name of a column of the output"
        if REASON in names:
            yield f"column '{REASON}' has the name of a column of the rejected rows"

    def _answers_at_once(self, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        """Of the rows that are surely taken; null for others, and where the model has no answer."""
        columns = [self._cells.convert(self._given(batch, column), column) for column in self._inputs]
        sure = columns[0].sure
        for column in columns[1:]:
            sure = arrow.and_(sure, column.sure)
        cells = [column.cells for column in columns]
        if sure.true_count == len(sure):
            return self._halving(cells, len(batch))
        chosen = [each.filter(sure) for each in cells]
        return _with(unanswered(len(batch), self._answers), sure, self._halving(chosen, sure.true_count))

    def _given(self, batch: pyarrow.RecordBatch, column: Column) -> pyarrow.Array:
        """Nulls for an optional one that is absent."""
        return batch.column(column.name) if column.name in batch.schema.names else pyarrow.nulls(len(batch))

    def _halving(self, columns: Sequence[pyarrow.Array], rows: int) -> pyarrow.RecordBatch:
        """A row that the model cannot take keeps no other from its answer."""
        if not rows:
            return unanswered(0, self._answers)
        try:
            return self._answer(columns)
        except ValueError:
            if rows == 1:
                return unanswered(1, self._answers)
        half = rows // 2
        parts = [
            ([each.slice(0, half) for each in columns], half),
            ([each.slice(half) for each in columns], rows - half),
        ]
        return pyarrow.concat_batches([self._halving(part, count) for part, count in parts])

    def _asked_alone(self, batch: pyarrow.RecordBatch) -> tuple[pyarrow.RecordBatch, list[str]]:
        """One by one, by the online service's own check; with the reasons of those that it refuses."""
        values = [self._cells.values(self._given(batch, column), column) for column in self._inputs]
        predictions, reasons = [], []
        for row in zip(*values, strict=True):
            try:
                (prediction,) = self._predictor.ask([row])
            except Invalid as refusal:
                prediction = None
                reasons.append(reason_of(refusal))
            predictions.append(prediction)
        return answers_of(predictions, self._answers), reasons

    def _scored(self, batch: pyarrow.RecordBatch, answers: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        kept = [self._cells.kept(batch.column(name)) for name in self._keep]
        identity = [pyarrow.repeat(pyarrow.scalar(text), len(batch)) for text in self._identity]
        return pyarrow.RecordBatch.from_arrays(
            [*kept, *answers.columns, *identity], schema=self.scored_schema(batch.schema)
        )


def reason_of(refusal: Invalid) -> str:
    """The service's words of a row that was asked alone, without the row's number."""
    problems = [problem.removeprefix(_FIRST_ROW) for problem in refusal.problem.problems]
    return "; ".join(problems) or refusal.problem.error


def _with(answers: pyarrow.RecordBatch, where: pyarrow.Array, found: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """`found`, which has a row for each true one, in their places."""
    columns = [
        arrow.replace_with_mask(one, where, other) for one, other in zip(answers.columns, found.columns, strict=True)
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=answers.schema)

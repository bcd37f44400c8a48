"""Holds the answers to columns against the golden ones: those to rows were compared when the release was loaded."""

import pyarrow

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Golden
from services.prediction.batch import json_cells
from services.prediction.batch.scorer import BatchScorer
from services.prediction.predictor import Predictor


def replay(predictor: Predictor, golden: Golden) -> None:
    """Raises Refused, naming the first row whose answer is another."""
    scorer = BatchScorer(predictor, cells=json_cells)
    cells = [json_cells.column_of([row[place] for row in golden.rows]) for place in range(len(golden.columns))]
    answered, refused = scorer.score(pyarrow.RecordBatch.from_arrays(cells, names=list(golden.columns)))
    if len(refused):
        raise Refused(f"expected golden rows that the model takes, found: {refused.column(-1)[0]}")
    golden.check([_prediction(row) for row in answered.to_pylist()])


def _prediction(row: dict[str, float]) -> Prediction:
    if "prediction" in row:
        return row["prediction"]
    return Labelled.model_validate({"label": row["label"], "probability": row["probability"]})

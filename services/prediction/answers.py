"""Predictions as they stand in the body of an answer."""

from typing import Any

from services.contract.prediction import Labelled, Prediction
from services.prediction.params import PREDICT_PROBA, Params

Json = float | dict[str, Any]


def as_json(prediction: Prediction, params: Params) -> Json:
    """A number, or an object of label and probability, with the probabilities of all classes when they are asked."""
    if not isinstance(prediction, Labelled):
        return prediction
    answer = _most_probable(prediction, params)
    if params.predict_method == PREDICT_PROBA:
        answer["probabilities"] = prediction.probabilities
    return answer


def _most_probable(prediction: Labelled, params: Params) -> dict[str, Any]:
    """As MLflow's model of our fastText flavor answers: lists for a `k` other than 1, null for no label at all."""
    if params.k == 1:
        enough = prediction.probability >= params.threshold
        return {
            "label": prediction.label if enough else None,
            "probability": prediction.probability if enough else None,
        }
    ranked = sorted((prediction.probabilities or {}).items(), key=lambda one: -one[1])
    chosen = [(label, one) for label, one in ranked if one >= params.threshold]
    chosen = chosen if params.k < 0 else chosen[: params.k]
    return {"label": [label for label, _ in chosen], "probability": [one for _, one in chosen]}

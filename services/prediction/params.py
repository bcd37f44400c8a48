"""The parameters of a request, `params` in MLflow's protocol: which of a classifier's answers are wanted."""

from typing import Any, Literal

from services.contract.record import Record
from services.contract.task import Task
from services.prediction.invalid import Invalid, describe

PREDICT, PREDICT_PROBA = "predict", "predict_proba"


class Params(Record):
    """`predict_method` is called as scikit-learn's method, whose name MLflow uses: `predict_proba` adds the
    probabilities of all classes. `k` other than 1 asks for lists of the most probable labels, -1 for all, and
    `threshold` for those at least so probable; both as MLflow's model of our fastText flavor takes them."""

    predict_method: Literal["predict", "predict_proba"] = "predict"
    k: int = 1
    threshold: float = 0.0

    @property
    def all_classes(self) -> bool:
        return self.predict_method == PREDICT_PROBA or self.k != 1


def params_schema(task: Task) -> dict[str, Any]:
    """What OpenAPI says of them."""
    method = {"type": "string", "enum": list(_methods(task)), "default": PREDICT}
    labels = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": -1}], "default": 1}
    many = {"k": labels, "threshold": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.0}}
    properties = {"predict_method": method, **(many if task == "classification" else {})}
    return {"type": ["object", "null"], "properties": properties}


def read_params(found: Any, task: Task) -> Params:
    """Raises Invalid for a value that is none of them; a name that this task does not know is ignored, as by MLflow."""
    if found is None:
        return Params()
    if not isinstance(found, dict):
        raise Invalid(422, f"params: expected an object of parameters, found {describe(found)}")
    if task != "classification":
        return Params(predict_method=_method(found, task))
    return Params(predict_method=_method(found, task), k=_k(found), threshold=_threshold(found))


def _method(found: dict[str, Any], task: Task) -> Any:
    known = _methods(task)
    if (method := found.get("predict_method", PREDICT)) not in known:
        why = ": this model answers numbers" if task == "regression" else ""
        raise Invalid(422, f"params.predict_method: expected {' or '.join(known)}, found {describe(method)}{why}")
    return method


def _methods(task: Task) -> tuple[str, ...]:
    return (PREDICT,) if task == "regression" else (PREDICT, PREDICT_PROBA)


def _k(found: dict[str, Any]) -> int:
    k = found.get("k", 1)
    # JSON has one kind of number.
    if isinstance(k, float) and k.is_integer():
        k = int(k)
    if isinstance(k, bool) or not isinstance(k, int) or (k < 1 and k != -1):
        raise Invalid(422, "params.k: expected a whole number of labels from 1, or -1 for all, found another value")
    return k


def _threshold(found: dict[str, Any]) -> float:
    threshold = found.get("threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise Invalid(422, "params.threshold: expected a probability from 0 to 1, found another value")
    return float(threshold)

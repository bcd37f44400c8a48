"""Hold-out metrics under the names that mlflow.evaluate gives them."""

from typing import Any

from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

_REGRESSION = {
    "mean_absolute_error": mean_absolute_error,
    "root_mean_squared_error": root_mean_squared_error,
    "r2_score": r2_score,
}


def regression_metrics(actual: Any, predicted: Any) -> dict[str, float]:
    """Errors in the target's unit; `actual` and `predicted` have shape (rows,). Source: sklearn.metrics."""
    return {name: float(metric(actual, predicted)) for name, metric in _REGRESSION.items()}

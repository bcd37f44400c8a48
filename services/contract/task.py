"""What a model is for, which decides how its answers look and are measured."""

from typing import Literal

Task = Literal["regression", "classification", "binary-classification"]
TargetType = Literal["double", "string", "long"]

# A target is a number, the name of one of many labels, or 0 or 1.
TARGETS: dict[Task, TargetType] = {"regression": "double", "classification": "string", "binary-classification": "long"}
# The metrics by which a candidate can be compared with the live model, row by row or by their order.
COMPARED: dict[Task, tuple[str, ...]] = {
    "regression": ("mean_absolute_error", "root_mean_squared_error"),
    "classification": ("accuracy_score",),
    "binary-classification": ("average_precision_score", "log_loss", "brier_score_loss"),
}
# Those of which more is better, and 1 is the best; of all others less is, and 0 is.
BETTER_ABOVE = ("r2_score", "accuracy_score", "f1_score", "average_precision_score", "roc_auc_score")
# The metrics of a hold-out, which `services.contract.metrics` measures and thresholds bound.
MEASURED: dict[Task, tuple[str, ...]] = {
    "regression": ("mean_absolute_error", "root_mean_squared_error", "r2_score"),
    "classification": ("accuracy_score", "f1_score", "expected_calibration_error", "log_loss"),
    "binary-classification": (
        "average_precision_score", "roc_auc_score", "log_loss", "brier_score_loss", "expected_calibration_error",
    ),
}  # fmt: skip

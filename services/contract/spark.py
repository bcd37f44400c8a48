"""What training with Spark and checking a Spark model have in common; nothing here imports pyspark."""

from collections.abc import Collection, Sequence

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction

LOCALHOST = "127.0.0.1"
CLASSES = ("0", "1")
SESSION_SETTINGS = {
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Else the optimizer itself transforms the rows, on one core and interpreted.
    "spark.sql.execution.arrow.localRelationThreshold": "0",
}
ON_THIS_MACHINE = {"spark.driver.host": LOCALHOST, "spark.driver.bindAddress": LOCALHOST}


def refuse_without_probability(columns: Collection[str]) -> None:
    """`columns` are those of a transformed frame; raises Refused for a model that is no classifier."""
    if "probability" not in columns:
        raise Refused("expected a classifier with a column 'probability', found a model without one")


def binary_predictions(labels: Sequence[float], probabilities: Sequence[Sequence[float]]) -> list[Prediction]:
    """`labels` of shape (rows,), `probabilities` of shape (rows, 2). Raises Refused for a model of more labels."""
    if any(len(each) != 2 for each in probabilities):
        raise Refused("expected a model of two labels, 0 and 1, found one of more")
    return [
        Labelled(label=int(label), probability=one, probabilities=dict(zip(CLASSES, (zero, one), strict=True)))
        for label, (zero, one) in zip(labels, probabilities, strict=True)
    ]

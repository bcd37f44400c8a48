"""One module per machine-learning library, found by its name: reads rows, fits, predicts and logs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import pandas
from mlflow.models import ModelSignature

from services.contract.model_config import Data, ModelConfig
from services.contract.modules import find_module
from services.contract.prediction import Prediction
from services.contract.task import Task


class Flavor(Protocol):
    """`LIBRARIES` are the distributions whose versions matter, the library itself among them."""

    LIBRARIES: tuple[str, ...]
    RUNS_ON_A_CLUSTER: bool

    def read(self, path: Path, data: Data, task: Task) -> pandas.DataFrame:
        """A user's own file. Raises Refused, naming the column or row that is wrong."""

    def check(self, plan: Any, config: ModelConfig) -> None:
        """Looks at a plan before anything is read or fitted. Raises Refused, in one sentence that says what `build` is
        to return, for one that the library cannot fit, the form of the model cannot hold or a later step would refuse.
        The caller puts the path of the model's train.py before it.
        """

    def fit(self, plan: Any, inputs: pandas.DataFrame, target: pandas.Series, master: str | None) -> Any:
        """`plan` is what `build` in the model's train.py gives; `master` is a cluster's URL, None for this machine."""

    def predict(self, model: Any, inputs: pandas.DataFrame) -> Sequence[Prediction]:
        """One prediction per row, in their order."""

    def parameters(self, model: Any) -> dict[str, Any]:
        """The fitted model's parameters, defaults included."""

    def learning_curves(self, model: Any, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:
        """A value for each step of the training, by metric; empty when the library keeps none."""

    def log_model(
        self, model: Any, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]
    ) -> str:
        """Logs to the active run. Returns the id of the logged model."""


def find_flavor(library: str) -> Flavor:
    """Raises Refused for a library without a module here, or whose packages are not installed."""
    return cast(Flavor, find_module("training.flavors", library, "a model of"))

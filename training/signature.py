"""A model's MLflow signature, from what model.yaml declares: an inferred one would depend on the first rows."""

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from services.contract.cells import model_type
from services.contract.model_config import ModelConfig
from services.contract.task import TARGETS


def signature(config: ModelConfig) -> ModelSignature:
    """Inputs in the declared order, and as output a number, or a label with its probability."""
    kind = TARGETS[config.task]
    labelled = Schema([ColSpec(kind, "label"), ColSpec("double", "probability")])
    return ModelSignature(
        inputs=Schema([ColSpec(model_type(column), column.name, required=column.required) for column in config.inputs]),
        outputs=Schema([ColSpec(kind)]) if config.task == "regression" else labelled,
    )

"""A model's MLflow signature, from what model.yaml declares: an inferred one would depend on the first rows."""

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from services.contract.cells import model_type
from services.contract.model_config import ModelConfig
from services.contract.task import TARGETS, Task


def signature(config: ModelConfig) -> ModelSignature:
    """Inputs in the declared order, and as output a number, or a label with its probability.

    The parameters are those that the prediction service takes; MLflow's own models of scikit-learn and Spark ignore
    them.
    """
    kind = TARGETS[config.task]
    labelled = Schema([ColSpec(kind, "label"), ColSpec("double", "probability")])
    return ModelSignature(
        inputs=Schema([ColSpec(model_type(column), column.name, required=column.required) for column in config.inputs]),
        outputs=Schema([ColSpec(kind)]) if config.task == "regression" else labelled,
        params=_params(config.task),  # type: ignore[arg-type]  # MLflow's own default is None
    )


def _params(task: Task) -> ParamSchema | None:
    method = ParamSpec("predict_method", DataType.string, "predict")
    if task == "regression":
        return None
    if task == "binary-classification":
        return ParamSchema([method])
    return ParamSchema([ParamSpec("k", DataType.integer, 1), ParamSpec("threshold", DataType.double, 0.0), method])

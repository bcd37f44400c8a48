"""fastText, for which MLflow has no flavor: this file is logged with each model, so that it loads without Trackback."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

import fasttext
import mlflow
import pandas
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

# This file's name in a model's `code/`: there it must not hide the library `fasttext`, and no module of ours is around.
LOADER = "trackback_fasttext"
if __name__ != LOADER:
    import training.fasttext_process as process
    from services.contract import names
    from services.contract.errors import Refused
    from services.contract.prediction import Labelled
    from services.contract.text_file import open_text
    from training.dataset import read_csv
    from training.fasttext_options import THREADS, check_options
if TYPE_CHECKING:
    from services.contract.model_config import Data, ModelConfig
    from services.contract.prediction import Prediction
    from services.contract.task import Task

LIBRARIES = ("mlflow", "fasttext-numpy2", "numpy", "pandas")
RUNS_ON_A_CLUSTER = False

MODEL_FILE = "data/model.bin"
_OUTPUTS = Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.double, "probability")])
_PARAMS = ParamSchema(
    [
        ParamSpec("k", DataType.integer, 1),
        ParamSpec("threshold", DataType.double, 0.0),
        ParamSpec("predict_method", DataType.string, "predict"),
    ]
)
_PREFIX = "__label__"
_END_OF_LINE = "</s>"
_TABLES = (".csv", ".tsv")
_LR = 0.1


def one_line(text: str) -> str:
    """The words of a text, with one space between them and without fastText's own marks.

    The marks are `__label__…`, which would become a label, and `</s>`, after which fastText reads no further.
    """
    words = text.encode(errors="replace").decode().replace("\0", " ").split()
    return " ".join(word for word in words if word != _END_OF_LINE and not word.startswith(_PREFIX))


def read(path: Path, data: Data, task: Task) -> pandas.DataFrame:
    """Rows of a `.csv` or `.tsv` file, else of one with lines `__label__X text`; each may be packed, as in `.csv.gz`.

    Raises Refused, naming the wrong line.
    """
    if path.name.lower().removesuffix(".gz").endswith(_TABLES):
        frame = read_csv(path, data, task)
        return frame.assign(**{data.target: frame[data.target].astype(str).str.removeprefix(_PREFIX)})
    _refuse_unless_one(list(data.columns))
    with open_text(path, f"lines of '{_PREFIX}X text'") as lines:
        rows = [_row(line.split(), f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    return pandas.DataFrame(rows, columns=[data.target, *data.columns])


def _row(words: list[str], where: str) -> tuple[str, str]:
    labels = [word for word in words if word.startswith(_PREFIX)]
    text = " ".join(word for word in words if not word.startswith(_PREFIX))
    if len(labels) > 1:
        raise Refused(
            f"{where}: expected one label, found {len(labels)} ({', '.join(labels[:3])}): an answer has one label, so "
            "keep the one that matters, or train a model for each question"
        )
    if not labels:
        raise Refused(f"{where}: expected one label, such as {_PREFIX}en, found none")
    if not text:
        raise Refused(f"{where}: expected a text beside {labels[0]}, found none")
    return labels[0].removeprefix(_PREFIX), text


def check(plan: Any, config: ModelConfig) -> None:
    """Raises Refused for a task or columns that are not fastText's, and for arguments that it takes wrongly or not."""
    if config.task != "classification":
        raise Refused(
            f"expected the task classification in model.yaml, found {config.task}: fastText answers with labels"
        )
    _refuse_unless_one(list(config.data.columns))
    check_options(plan)


def fit(
    plan: dict[str, Any],
    inputs: pandas.DataFrame,
    target: pandas.Series,
    master: str | None,  # noqa: ARG001
    train: Callable[[Path], None] | None = None,
) -> Any:
    """`plan` holds arguments of `train_supervised`; `train` is how a folder is trained in, None for in another process.

    Raises Refused for arguments or labels that fastText cannot take, and when the training fails.
    """
    check_options(plan)
    arguments = {"lr": _LR, "verbose": 0, "thread": THREADS, **plan}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / process.ARGUMENTS).write_text(json.dumps(arguments))
        with (folder / process.ROWS).open("w", encoding="utf-8", newline="\n") as lines:
            lines.writelines(f"{_marked(label)} {text}\n" for label, text in zip(target, _texts(inputs), strict=True))
        try:
            (train or process.train_apart)(folder)
        except process.Failed as failed:
            raise Refused(_failure(str(failed), plan, arguments["lr"])) from failed
        return _with_labels(process.trained(folder))


def _failure(said: str, plan: dict[str, Any], rate: float) -> str:
    # Where two of its threads find NaN at once, C++ aborts the process.
    if "NaN" in said or said.endswith("SIGABRT"):
        return f"expected finite weights, found NaN with lr {rate}: train with a lower lr"
    if "bad_alloc" in said or "memory" in said:
        return (
            f"expected a model that fits into the memory, found that fastText ran out of it with {plan}: lower bucket"
        )
    return f"expected a plan that fastText's train_supervised takes, found {plan}: {said}"


def _with_labels(model: Any) -> Any:
    if len(model.labels) < 1:
        raise Refused(f"expected a label in {model.minCountLabel} rows or more, found none: lower minCountLabel")
    return model


def _marked(label: Any) -> str:
    if not isinstance(label, str) or label.split() != [one_line(label)]:
        raise Refused(
            f"expected labels of one word without {_PREFIX}, found {label!r}: fastText ends a label at white space, so "
            "write New_York for New York"
        )
    return f"{_PREFIX}{label}"


def _texts(inputs: pandas.DataFrame) -> list[str]:
    _refuse_unless_one(list(inputs.columns))
    if inputs.dtypes.iloc[0] != "object":
        raise Refused(
            f"expected one column of type string, found '{inputs.columns[0]}' of another: fastText reads one text a row"
        )
    return _lines_of(inputs)


def _lines_of(table: pandas.DataFrame) -> list[str]:
    """A text that is missing is an empty one: fastText answers it with what it knows of no word."""
    return [one_line(text if isinstance(text, str) else "") for text in table.iloc[:, 0]]


def _refuse_unless_one(columns: list[str]) -> None:
    if len(columns) != 1:
        raise Refused(f"expected one column of text, found {', '.join(columns)}: fastText reads one text a row")


def predict(model: Any, inputs: pandas.DataFrame) -> Sequence[Prediction]:
    """The likeliest label of each text. Raises Refused when the model knows no word of one."""
    best = _answers(model, _texts(inputs), k=1, threshold=0.0)
    if unknown := best.count([]):
        raise Refused(f"expected a model that knows a word of every text, found {unknown} without: lower minCount")
    return [Labelled(label=label, probability=probability) for ((label, probability),) in best]


def _answers(model: Any, texts: list[str], k: int, threshold: float) -> list[list[tuple[str, float]]]:
    """For each text up to `k` pairs (label, probability) from `threshold` on, highest probability first."""
    # Always a list: on a single string most builds of fastText fail with NumPy 2.
    labels, probabilities = model.predict(texts, k=k, threshold=threshold)
    return [
        [(label.removeprefix(_PREFIX), min(float(probability), 1.0)) for label, probability in zip(*row, strict=True)]
        for row in zip(labels, probabilities, strict=True)
    ]


def parameters(model: Any) -> dict[str, Any]:
    """The arguments that `fit` found the model to be trained with, defaults included."""
    return {f"fasttext.{name}": getattr(model, name) for name in ("loss", *process.USED)}


def learning_curves(model: Any, inputs: pandas.DataFrame, target: pandas.Series) -> dict[str, list[float]]:  # noqa: ARG001
    """Always empty: fastText prints its loss to the terminal and does not keep it."""
    return {}


def log_model(model: Any, signature: ModelSignature, example: pandas.DataFrame, requirements: list[str]) -> str:
    """Logs to the active run, with the outputs and parameters of this flavor. Returns the id of the logged model."""
    logged = Model.log(
        artifact_path=None,
        name=names.LOGGED_MODEL_NAME,
        flavor=sys.modules[__name__],
        model=model,
        signature=ModelSignature(inputs=signature.inputs, outputs=_OUTPUTS, params=_PARAMS),
        input_example=example,
        pip_requirements=requirements,
    )
    return str(logged.model_id)


def save_model(
    model: Any,
    path: str,
    pip_requirements: list[str],
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: pandas.DataFrame | None = None,
) -> None:
    """Writes an MLflow model folder. The requirements are given, because inferring them takes seconds."""
    described = mlflow_model or Model()
    described.add_flavor("fasttext", fasttext_version=metadata.version("fasttext-numpy2"), data=MODEL_FILE)
    with tempfile.TemporaryDirectory() as folder:
        file, loader = Path(folder) / Path(MODEL_FILE).name, Path(folder) / f"{LOADER}.py"
        model.save_model(str(file))
        copyfile(__file__, loader)
        mlflow.pyfunc.save_model(
            path=path,
            mlflow_model=described,
            loader_module=LOADER,
            data_path=str(file),
            code_paths=[str(loader)],
            signature=signature,
            input_example=input_example,
            pip_requirements=pip_requirements,
        )


def load_model(model_uri: str, dst_path: str | None = None) -> Any:
    """The `fasttext` model of an MLflow URI or folder."""
    folder = mlflow.artifacts.download_artifacts(artifact_uri=model_uri, dst_path=dst_path)
    return fasttext.load_model(str(Path(folder) / MODEL_FILE))


def _load_pyfunc(path: str) -> Classifier:
    return Classifier(fasttext.load_model(path))


class Classifier:
    """The model as MLflow's pyfunc wants it."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, table: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """A row per text with the columns `label` and `probability`; None and NaN where no label reaches `threshold`.

        For `k` other than 1 both columns hold lists, highest probability first; `k` of -1 is all labels. For a
        `predict_method` of "predict_proba" there is a third column, `probabilities`: those of all labels, by label.
        """
        asked = {"k": 1, "threshold": 0.0, **(params or {})}
        all_labels = asked.pop("predict_method", "predict") == "predict_proba"
        texts = _lines_of(table)
        answers = _answers(self._model, texts, **asked)
        if asked["k"] == 1:
            found: list[tuple[Any, Any]] = [answer[0] if answer else (None, math.nan) for answer in answers]
        else:
            found = [([label for label, _ in answer], [one for _, one in answer]) for answer in answers]
        answered = pandas.DataFrame(found, columns=["label", "probability"], index=table.index)
        return answered.assign(probabilities=self._shares(texts)) if all_labels else answered

    def _shares(self, texts: list[str]) -> list[dict[str, float]]:
        """Of all labels, with a sum of 1: what the first leaves of it is shared in proportion among the others, since
        what fastText answers adds up to more, and with the losses `ova` and `ns` to anything."""
        labels = [label.removeprefix(_PREFIX) for label in self._model.get_labels()]
        shares = []
        for (first, probability), *others in _answers(self._model, texts, -1, 0.0):
            known, total = dict(others), sum(one for _, one in others)
            share = (1 - probability) / total if total else 0.0
            shares.append({name: known.get(name, 0.0) * share for name in labels} | {first: probability})
        return shares

"""What people do to rows, declarations and files by mistake, the same for every model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pandas

from services.contract.model_config import ModelConfig
from training.dataset import Dataset, Part, as_given
from training.job import shuffled


def shuffled_labels(part: Part) -> Part:
    return replace(part, target=shuffled(part.target))


def frame(part: Part) -> pandas.DataFrame:
    return part.inputs.assign(**{str(part.target.name): part.target})


def leaking(dataset: Dataset, config: ModelConfig, fill: Callable[[pandas.DataFrame], pandas.DataFrame]) -> Dataset:
    """`fill` writes into a column what it knows of the target."""
    training, holdout = (fill(frame(side)) for side in (dataset.training, dataset.holdout))
    return as_given(training, holdout, config.data, config.task, config.data.source)


def with_holdout(dataset: Dataset, config: ModelConfig) -> Dataset:
    """As a notebook logs it that splits its rows by itself."""
    rows = pandas.concat([frame(dataset.training), frame(dataset.holdout)], ignore_index=True)
    return as_given(rows, frame(dataset.holdout), config.data, config.task, config.data.source)


def without_column(config: ModelConfig, name: str) -> ModelConfig:
    columns = {column: kind for column, kind in config.data.columns.items() if column != name}
    return config.model_copy(update={"data": config.data.model_copy(update={"columns": columns})})


def cut_short(file: Path) -> None:
    """As a copy that was stopped leaves it."""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def rows_beside(part: Part) -> Callable[[Path], None]:
    """Somebody logs the rows with the model, in a form that takes much space."""

    def add(folder: Path) -> None:
        (folder / "extra_files").mkdir(exist_ok=True)
        numpy.save(folder / "extra_files" / "rows.npy", part.inputs.to_numpy().astype("U14"))

    return add

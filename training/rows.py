"""Loads a model's rows: from files of installed packages, or from one file that the user gives."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas

from services.contract.candidate import Sources
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from training.dataset import Dataset, read_csv, split
from training.flavors import find_flavor
from training.model_code import find_function, named
from training.sources import file_sources, package_files, package_sources

_NONE = inspect.Parameter.empty


@dataclass(frozen=True)
class Rows:
    """`sources` are None when nobody said what files the rows were made from."""

    sources: Sources | None
    dataset: Dataset


def load_rows(config: ModelConfig, folder: Path, csv: Path | None) -> Rows:
    """Rows of the model in `folder`, or of `csv`, split in two. Raises Refused for a file that is missing or wrong."""
    if csv is None:
        sources, source = package_sources(config.data.packages), config.data.source
        frame = _from_packages(config, folder)
    else:
        sources, source = file_sources(csv), csv.name
        frame = find_flavor(config.library).read(csv, config.data, config.task)
    return Rows(sources, split(frame, config.data, config.task, source))


def _from_packages(config: ModelConfig, folder: Path) -> pandas.DataFrame:
    files = package_files(config.data.packages)
    if missing := [name for name, path in files.items() if not path.is_file()]:
        raise Refused(f"expected {missing[0]}, which its package lists, found no such file: install the package again")
    load = find_function(folder, "data.py", "load")
    with named(folder / "data.py", "`load` to return the rows"):
        frame = load(list(files.values()), *_readers(load, config))
    if not isinstance(frame, pandas.DataFrame):
        raise Refused(f"{folder / 'data.py'}: expected `load` to return a DataFrame, found {type(frame).__name__}")
    return frame


def _readers(load: Callable[..., Any], config: ModelConfig) -> list[Callable[[Path], pandas.DataFrame]]:
    """One for a `load` that wants a second argument: it reads a CSV file with the types that model.yaml declares."""
    second = list(inspect.signature(load).parameters.values())[1:2]
    if not second or second[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or second[0].default is not _NONE:
        return []
    return [partial(read_csv, data=config.data, task=config.task)]

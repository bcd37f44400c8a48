"""A hold-out file of a person's own as the training job writes it: with the same rows it has the same SHA-256."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.contract.csv_cells import convert
from services.contract.csv_table import read_table
from services.contract.digest import file_sha256
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.task import TARGETS


def canonical_holdout(path: Path, config: ModelConfig) -> bytes:
    """The pinned file is taken as it is; of another the declared columns, in order, each value in its canonical form.

    Raises Refused, naming the column that is missing or the line that is wrong, as the training job does.
    """
    if path.is_file() and file_sha256(path) == config.data.holdout_sha256:
        return path.read_bytes()
    target = "label" if config.task == "binary-classification" else TARGETS[config.task]
    kinds: dict[str, str] = {**config.data.columns, config.data.target: target}
    table = read_table(path, list(kinds))
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(kinds)
    for line, texts in zip(table.lines, zip(*(table.columns[name] for name in kinds), strict=True), strict=True):
        cells = zip(kinds.items(), texts, strict=True)
        lines.writerow(
            _value(f"{path}:{line}", name, text, kind, name in config.data.optional) for (name, kind), text in cells
        )
    return written.getvalue().encode()


def _value(line: str, name: str, text: str, kind: str, optional: bool) -> str:
    try:
        value = convert(text, kind, optional)
    except ValueError as error:
        raise Refused(f"{line}: column '{name}': {error}") from None
    return "" if value is None else _CANONICAL.get(kind, str)(value)


def _text(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


_CANONICAL: dict[str, Callable[[Any], str]] = {"double": repr, "string": _text}

"""A hold-out file of a person's own as the training job writes it: with the same rows it has the same SHA-256."""

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

from services.contract.digest import file_sha256
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.task import TARGETS

_TRUTH = {"true": "True", "false": "False"}


def canonical_holdout(path: Path, config: ModelConfig) -> bytes:
    """The pinned file is taken as it is; of another the declared columns, in order, each value in its canonical form.

    Raises Refused, naming the column that is missing or the line that is wrong.
    """
    try:
        if file_sha256(path) == config.data.holdout_sha256:
            return path.read_bytes()
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _written(path, csv.DictReader(file, strict=True), config)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path}: expected a CSV file with a header, cannot read it: {error}") from error


def _written(path: Path, reader: "csv.DictReader[str]", config: ModelConfig) -> bytes:
    kinds: dict[str, str] = {**config.data.columns, config.data.target: TARGETS[config.task]}
    if missing := [name for name in kinds if name not in (reader.fieldnames or ())]:
        raise Refused(f"{path}: expected columns {', '.join(kinds)}; missing: {', '.join(missing)}")
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(kinds)
    for row in reader:
        lines.writerow(_value(f"{path}:{reader.line_num}", name, row[name], config, kinds) for name in kinds)
    return written.getvalue().encode()


def _value(line: str, name: str, text: str | None, config: ModelConfig, kinds: dict[str, str]) -> str:
    kind = kinds[name]
    if not text and name in config.data.optional:
        return ""
    try:
        return _CANONICAL[kind](text or "")
    except (KeyError, ValueError):
        raise Refused(f"{line}: column '{name}': expected a value of type {kind}, found {text!r}") from None


def _number(text: str) -> str:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return repr(number)


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text.replace("\r\n", "\n").replace("\r", "\n")


_CANONICAL: dict[str, Callable[[str], str]] = {
    "double": _number,
    "long": lambda text: str(int(text)),
    "string": _text,
    "boolean": lambda text: _TRUTH[text.lower()],
}

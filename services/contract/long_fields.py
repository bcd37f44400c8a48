"""Reads CSV with fields of any length: Python's reader stops at 131,072 characters, a page of text has more."""

import csv
import sys
from collections.abc import Iterable
from typing import Any


def csv_reader(lines: Iterable[str], **dialect: Any) -> Any:
    """`csv.reader`. The limit belongs to the process, so it is lifted for every reader in it."""
    csv.field_size_limit(sys.maxsize)
    return csv.reader(lines, **dialect)

"""What ends a batch from within Spark, in one line: what a worker refused, which file is damaged, or the last cause."""

import re
from urllib.parse import unquote

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from services.contract.errors import jvm_reason

FAILED = (PySparkException, Py4JError)
_CLASSES = re.compile(r"^(Caused by: )?([\w.$]+(Exception|Error): )*")
_REFUSED = re.compile(r"services\.contract\.errors\.Refused: (.*)")
_HEADER = re.compile(r"Header length: (\d+), schema size: (\d+)|Expected: (.*) but found: (.*)")
_CSV_FILE = re.compile(r"CSV file: (.*)")
_UNREAD = re.compile(r"while reading file (.*?)\.?\s+SQLSTATE")


def task_reason(error: BaseException) -> str:
    said = str(error)
    if refused := _REFUSED.search(said):
        return refused[1]
    if (header := _HEADER.search(said)) and (file := _CSV_FILE.search(said)):
        found = f"column '{header[3]}', found '{header[4]}'" if header[3] else f"{header[2]} columns, found {header[1]}"
        return f"{plain(file[1])}: expected the header of the first file, each column once: {found}"
    cause = _CLASSES.sub("", jvm_reason(error))
    if (unread := _UNREAD.search(said)) and plain(unread[1]) not in cause:
        return f"{plain(unread[1])} cannot be read: {cause}"
    return cause


def plain(address: str) -> str:
    """As Hadoop prints a path: Spark's own columns have it as a URL."""
    return unquote(address).replace("file:///", "file:/", 1)

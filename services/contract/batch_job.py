"""What `trackback score` asks of the driver of a batch."""

from typing import Literal

from services.contract.distribution import Distribution
from services.contract.record import Record, Sha256

Format = Literal["parquet", "csv", "json", "jsonl"]


class BatchJob(Record):
    """`input` and `output` are addresses with a scheme, `folder` is the release's, and `python` the interpreter of its
    own environment. Without a `format` the names of the files tell it. `part_bytes` of input are committed at once.
    `expected` is how the answers of the release are distributed, by what `compared_with` says. Of an object store
    there are `jars` for the JVM, and the `endpoint` where it is not AWS; its keys are in the environment."""

    release: Sha256
    folder: str
    python: str
    input: str
    output: str
    format: Format | None = None
    keep: tuple[str, ...] = ()
    overwrite: bool = False
    master: str = "local[*]"
    part_bytes: int
    expected: Distribution | None = None
    compared_with: str
    jars: tuple[str, ...] = ()
    endpoint: str | None = None

"""What was published, as published.json says it."""

from typing import Annotated

from pydantic import StringConstraints

from services.contract.record import ModelName, Record, Revision, RunId, Sha256


class Published(Record):
    """`disk` is the SHA-256 of the raw disk; `uploaded` of its `blocks` that are not all zeros were sent by this run.

    `verified`: the snapshot was read back by this run, and is the disk byte by byte.
    """

    model: ModelName
    revision: Revision
    run_id: RunId
    release: Sha256
    image: str
    disk: Sha256
    bytes: int
    blocks: int
    uploaded: int
    region: str
    snapshot: Annotated[str, StringConstraints(pattern=r"^snap-[0-9a-f]+$")]
    ami: Annotated[str, StringConstraints(pattern=r"^ami-[0-9a-f]+$")]
    verified: bool

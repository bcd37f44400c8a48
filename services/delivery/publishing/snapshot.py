"""A disk becomes an EBS snapshot by the EBS direct API: begun or found again, filled where blocks miss, completed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.delivery.output import say
from services.delivery.publishing import tags
from services.delivery.publishing.aws import NOT_FOUND, Answered, Aws
from services.delivery.publishing.disk import BLOCK, Disk
from services.delivery.publishing.journal import Journal
from services.delivery.publishing.upload import Upload

# After so many minutes without a block EBS gives a pending snapshot up: an upload may be resumed for a day.
_TIMEOUT = 24 * 60
_WAIT_SECONDS, _WAIT_TRIES = 5, 360
_MOST_LOST = 5


@dataclass(frozen=True)
class Snapshot:
    """`uploaded` counts the blocks that this run has sent."""

    id: str
    uploaded: int


class Snapshots:
    """`folder` holds the journals of uploads."""

    def __init__(self, aws: Aws, folder: Path, threads: int) -> None:
        self._aws, self._folder, self._threads = aws, folder, threads

    def publish(self, disk: Disk) -> Snapshot:
        """One completed snapshot of the disk, however often it is asked for. Raises Refused."""
        known = self._known(disk)
        if completed := known.get("completed"):
            say(f"{completed[0]} holds this disk already")
            return Snapshot(completed[0], 0)
        if pending := known.get("pending"):
            return self._fill(disk, pending[0])
        return self._begin(disk, known.get("error", []))

    def _known(self, disk: Disk) -> dict[str, list[str]]:
        """Ids of the snapshots with this disk's tag, by state."""
        known: dict[str, list[str]] = {}
        for page in self._aws.pages("ec2:DescribeSnapshots", OwnerIds=["self"], Filters=tags.ours(disk.image)):
            for one in page["Snapshots"]:
                known.setdefault(one["State"], []).append(one["SnapshotId"])
        return {state: sorted(ids) for state, ids in known.items()}

    def _begin(self, disk: Disk, lost: Sequence[str]) -> Snapshot:
        """`lost` are those that failed. One that was deleted is told by nothing but its id's being unknown."""
        snapshot = self._start(disk, lost)
        try:
            return self._fill(disk, snapshot)
        except Answered as refused:
            if refused.code != NOT_FOUND or len(lost) >= _MOST_LOST:
                raise
        say(f"{snapshot} is gone: beginning another")
        return self._begin(disk, [*lost, snapshot])

    def _start(self, disk: Disk, lost: Sequence[str]) -> str:
        wanted = {
            "VolumeSize": disk.gibibytes,
            "Description": f"Trackback machine image of {disk.image.model} {disk.image.revision}, {disk.image.sha256}",
            "Tags": tags.tags(disk.image),
            "Timeout": _TIMEOUT,
        }
        started = self._aws.ask("ebs:StartSnapshot", ClientToken=_token(wanted, lost), **wanted)
        if started["BlockSize"] != BLOCK:
            raise Refused(f"expected EBS to have blocks of {BLOCK:,} bytes, found {started['BlockSize']:,}")
        return str(started["SnapshotId"])

    def _fill(self, disk: Disk, snapshot: str) -> Snapshot:
        journal = Journal(self._folder, snapshot)
        upload = Upload(self._aws, disk, snapshot, journal)
        uploaded = 0 if journal.sealed else upload.send(self._threads)
        if not journal.sealed:
            upload.complete()
        say(f"waiting until EBS has completed {snapshot}")
        self._aws.wait_until_completed(snapshot, _WAIT_SECONDS, _WAIT_TRIES)
        journal.forget()
        return Snapshot(snapshot, uploaded)


def _token(wanted: Mapping[str, Any], lost: Sequence[str]) -> str:
    """A token stands for one request for ever: that of a snapshot which was lost would give that one back."""
    return hashlib.sha256(json.dumps([wanted, sorted(lost)], sort_keys=True).encode()).hexdigest()

"""Sends the blocks of a disk that a pending snapshot lacks, each with its checksum, and all with that of them all."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.contract.errors import Refused
from services.delivery.output import say
from services.delivery.publishing.aws import INVALID, Answered, Aws
from services.delivery.publishing.disk import BLOCK, Disk
from services.delivery.publishing.in_threads import in_threads
from services.delivery.publishing.journal import Journal
from services.delivery.publishing.progress import Progress


@dataclass(frozen=True)
class Upload:
    aws: Aws
    disk: Disk
    snapshot: str
    journal: Journal

    def send(self, threads: int) -> int:
        """How many blocks were sent: those that the journal does not have. Raises Refused."""
        taken = self.journal.taken(self.disk)
        missing = [index for index in self.disk.digests if index not in taken]
        progress = Progress(f"uploading to {self.snapshot}", len(self.disk.digests), len(taken))
        say(f"uploading to {self.snapshot}, which has {progress}")
        with self._told_when_interrupted(progress):
            for _ in in_threads(self._put, missing, threads):
                progress.one_more()
        return len(missing)

    def complete(self) -> None:
        """Raises Refused when EBS has other blocks than the journal says, which is then of no use."""
        try:
            self.aws.ask(
                "ebs:CompleteSnapshot",
                SnapshotId=self.snapshot,
                ChangedBlocksCount=len(self.disk.digests),
                Checksum=_base64(self.disk.aggregate),
                ChecksumAlgorithm="SHA256",
                ChecksumAggregationMethod="LINEAR",
            )
        except Answered as refused:
            if refused.code == INVALID:
                self.journal.forget()
                raise Refused(f"{refused}: run it again to send every block anew") from refused
            raise
        self.journal.seal()

    def _put(self, index: int) -> None:
        digest = self.disk.digests[index]
        answer = self.aws.ask(
            "ebs:PutSnapshotBlock",
            SnapshotId=self.snapshot,
            BlockIndex=index,
            BlockData=self.disk.block(index),
            DataLength=BLOCK,
            Checksum=_base64(digest),
            ChecksumAlgorithm="SHA256",
        )
        if answer.get("Checksum") != _base64(digest):
            raise Refused(
                f"expected {self.snapshot} to have block {index} with the checksum {_base64(digest)}, found "
                f"{answer.get('Checksum')}: run it again to send it once more"
            )
        self.journal.add(index, digest)

    @contextmanager
    def _told_when_interrupted(self, progress: Progress) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            say(f"interrupted: {self.snapshot} has {progress}; the same command goes on with the others")
            raise


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

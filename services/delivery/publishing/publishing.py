"""A disk becomes a snapshot, which is read back if that is asked for, and then an AMI."""

from dataclasses import dataclass
from pathlib import Path

from services.delivery.output import say
from services.delivery.publishing.aws import Aws
from services.delivery.publishing.disk import Disk
from services.delivery.publishing.published import Published
from services.delivery.publishing.read_back import ReadBack
from services.delivery.publishing.registration import register, registered, snapshot_of
from services.delivery.publishing.snapshot import Snapshot, Snapshots


@dataclass(frozen=True)
class Publishing:
    """`journals` is the folder of uploads that are under way; `threads` so many blocks are."""

    aws: Aws
    journals: Path
    threads: int
    verify: bool = False
    read_back: Path | None = None

    def publish(self, disk: Disk) -> Published:
        """Raises Refused; asked again it goes on."""
        known = registered(self.aws, disk)
        if known:
            say(f"{known['ImageId']} was made of this disk before")
            snapshot = Snapshot(snapshot_of(known), 0)
        else:
            snapshot = Snapshots(self.aws, self.journals, self.threads).publish(disk)
        # Before there is an AMI that somebody may start.
        verified = self._verified(disk, snapshot)
        ami = str(known["ImageId"]) if known else register(self.aws, disk, snapshot.id)
        return _record(disk, snapshot, self.aws.region, ami, verified)

    def _verified(self, disk: Disk, snapshot: Snapshot) -> bool:
        if not (self.verify or self.read_back):
            return False
        ReadBack(self.aws, disk, snapshot.id).verify(self.threads, self.read_back)
        say(f"{snapshot.id} is the disk byte by byte: SHA-256 {disk.image.sha256}")
        return True


def _record(disk: Disk, snapshot: Snapshot, region: str, ami: str, verified: bool) -> Published:
    image = disk.image
    return Published(
        model=image.model,
        revision=image.revision,
        run_id=image.run_id,
        release=image.release,
        image=image.image,
        disk=image.sha256,
        bytes=image.bytes,
        blocks=len(disk.digests),
        uploaded=snapshot.uploaded,
        region=region,
        snapshot=snapshot.id,
        ami=ami,
        verified=verified,
    )

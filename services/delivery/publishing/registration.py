"""A completed snapshot becomes an AMI, once."""

from collections.abc import Mapping
from typing import Any

from services.contract.errors import Refused
from services.delivery.output import say
from services.delivery.publishing import tags
from services.delivery.publishing.aws import Answered, Aws
from services.delivery.publishing.disk import Disk

ROOT_DEVICE = "/dev/xvda"


def registered(aws: Aws, disk: Disk) -> Mapping[str, Any] | None:
    """The AMI that was made of this disk before."""
    pages = aws.pages("ec2:DescribeImages", Owners=["self"], Filters=tags.ours(disk.image))
    found = [one for page in pages for one in page["Images"] if one["State"] in ("available", "pending")]
    return min(found, key=lambda one: str(one["ImageId"]), default=None)


def register(aws: Aws, disk: Disk, snapshot: str) -> str:
    """The AMI's id. Raises Refused, also when another AMI has the name."""
    name = tags.name(disk.image)
    try:
        answer = aws.ask("ec2:RegisterImage", **_wanted(disk, snapshot, name))
    except Answered as refused:
        if refused.code == "InvalidAMIName.Duplicate":
            raise Refused(
                f"expected no AMI named {name}, found one without the tag {tags.DISK_TAG} of this disk: deregister it"
            ) from refused
        raise
    say(f"registered {answer['ImageId']} as {name}")
    return str(answer["ImageId"])


def snapshot_of(image: Mapping[str, Any]) -> str:
    """Of the root device."""
    devices = {one["DeviceName"]: one["Ebs"] for one in image["BlockDeviceMappings"] if "Ebs" in one}
    return str(devices[image["RootDeviceName"]]["SnapshotId"])


def _wanted(disk: Disk, snapshot: str, name: str) -> dict[str, Any]:
    volume = {
        "SnapshotId": snapshot,
        "VolumeSize": disk.gibibytes,
        "VolumeType": "gp3",
        "DeleteOnTermination": True,
    }
    # Each that is left out would be a guess of AWS's. TpmSupport would ask for UEFI alone.
    return {
        "Name": name,
        "Description": f"Scores batches with {disk.image.model} {disk.image.revision}, release {disk.image.release}",
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "BootMode": "uefi-preferred",
        "EnaSupport": True,
        "ImdsSupport": "v2.0",
        "RootDeviceName": ROOT_DEVICE,
        "BlockDeviceMappings": [{"DeviceName": ROOT_DEVICE, "Ebs": volume}],
        "TagSpecifications": [{"ResourceType": "image", "Tags": tags.tags(disk.image)}],
    }

"""What a snapshot and an AMI are found again by: tags that name the image, the release and the run."""

from collections.abc import Mapping
from typing import Any

from services.contract.machine_image import MachineImage

PREFIX = "trackback:"
# The SHA-256 of the raw disk: two images with this tag are one.
DISK_TAG = f"{PREFIX}disk"


def tags(image: MachineImage) -> list[dict[str, str]]:
    said = {
        "Name": name(image),
        DISK_TAG: image.sha256,
        f"{PREFIX}model": image.model,
        f"{PREFIX}revision": image.revision,
        f"{PREFIX}run": image.run_id,
        f"{PREFIX}release": image.release,
        f"{PREFIX}image": image.image,
    }
    return [{"Key": key, "Value": value} for key, value in sorted(said.items())]


def name(image: MachineImage) -> str:
    """Of the AMI, of which an account has one in a region."""
    return f"trackback-{image.model}-{image.revision}-{image.sha256[:12]}"


def ours(image: MachineImage) -> list[dict[str, Any]]:
    """The filter that finds what was published of this disk."""
    return [{"Name": f"tag:{DISK_TAG}", "Values": [image.sha256]}]


def read_tags(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in found.get("Tags", [])}

"""Of EC2 what publish-image asks for, as strict as AWS documents it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_answers import Answer, Fault, as_xml, parameter, refuse_unless
from tests.support.strict_ebs import StoredSnapshot, check_tags

_MAY_BE = {
    "Architecture": ("x86_64", "arm64"),
    "BootMode": ("legacy-bios", "uefi", "uefi-preferred"),
    "VirtualizationType": ("hvm",),
    "ImdsSupport": ("v2.0",),
    "EnaSupport": ("true",),
}


@dataclass
class RegisteredImage:
    said: dict[str, Any]
    tags: dict[str, str]
    request: dict[str, str]


@dataclass
class StrictEc2:
    snapshots: dict[str, StoredSnapshot]
    images: dict[str, RegisteredImage] = field(default_factory=dict)

    def action(self, query: dict[str, str]) -> tuple[str, Callable[[], Answer]]:
        run = {
            "DescribeSnapshots": self._describe_snapshots,
            "DescribeImages": self._describe_images,
            "RegisterImage": self._register,
        }[query["Action"]]
        return query["Action"], lambda: run(query)

    def _describe_snapshots(self, query: dict[str, str]) -> Answer:
        wanted = [value for key, value in query.items() if key.startswith("SnapshotId.")]
        missing = [one for one in wanted if one not in self.snapshots]
        refuse_unless(not missing, f"{missing}", lambda said: Fault("InvalidSnapshot.NotFound", said))
        found = [one for one in self.snapshots.values() if not wanted or one.id in wanted]
        return as_xml("DescribeSnapshots", {"snapshotSet": [one.described() for one in found if _has(one.tags, query)]})

    def _describe_images(self, query: dict[str, str]) -> Answer:
        return as_xml(
            "DescribeImages", {"imagesSet": [one.said for one in self.images.values() if _has(one.tags, query)]}
        )

    def _register(self, query: dict[str, str]) -> Answer:
        _check_register(query)
        snapshot = self._completed(query["BlockDeviceMapping.1.Ebs.SnapshotId"])
        enough = int(query["BlockDeviceMapping.1.Ebs.VolumeSize"]) >= snapshot.request["VolumeSize"]
        refuse_unless(enough, "the volume is smaller than the snapshot", parameter)
        taken = {one.request["Name"] for one in self.images.values()}
        refuse_unless(query["Name"] not in taken, query["Name"], lambda said: Fault("InvalidAMIName.Duplicate", said))
        ami, root = f"ami-{len(self.images) + 1:017x}", query["RootDeviceName"]
        device = {"deviceName": root, "ebs": {"snapshotId": snapshot.id}}
        said = {"imageId": ami, "imageState": "available", "rootDeviceName": root, "blockDeviceMapping": [device]}
        self.images[ami] = RegisteredImage(said, _tags(query), query)
        return as_xml("RegisterImage", {"imageId": ami})

    def _completed(self, snapshot: str) -> StoredSnapshot:
        if snapshot not in self.snapshots:
            raise Fault("InvalidSnapshot.NotFound", snapshot)
        found = self.snapshots[snapshot]
        refuse_unless(found.state == "completed", snapshot, lambda said: Fault("IncorrectState", said))
        return found


def _check_register(query: dict[str, str]) -> None:
    for key, values in _MAY_BE.items():
        refuse_unless(query.get(key) in values, f"{key}={query.get(key)}", parameter)
    name, root = query.get("Name", ""), query.get("RootDeviceName")
    sound = bool(re.fullmatch(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}", name))
    refuse_unless(sound, f"Name={name}", lambda said: Fault("InvalidAMIName.Malformed", said))
    refuse_unless(len(query.get("Description", "")) <= 255, "Description has at most 255 characters", parameter)
    refuse_unless(query.get("BlockDeviceMapping.1.DeviceName") == root, f"RootDeviceName={root}", parameter)
    refuse_unless("TpmSupport" not in query or query["BootMode"] == "uefi", "TpmSupport needs BootMode uefi", parameter)
    kind = query.get("TagSpecification.1.ResourceType")
    refuse_unless(kind in ("image", "snapshot"), f"TagSpecification={kind}", parameter)
    check_tags(_tags(query))


def _tags(query: Mapping[str, str]) -> dict[str, str]:
    keys = [key for key in query if re.fullmatch(r"TagSpecification\.1\.Tag\.\d+\.Key", key)]
    return {query[key]: query[f"{key.removesuffix('Key')}Value"] for key in keys}


def _has(tags: Mapping[str, str], query: Mapping[str, str]) -> bool:
    names = {key: value for key, value in query.items() if re.fullmatch(r"Filter\.\d+\.Name", key)}
    assert all(value.startswith("tag:") for value in names.values()), names
    return all(
        tags.get(value.removeprefix("tag:")) == query[f"{key.removesuffix('Name')}Value.1"]
        for key, value in names.items()
    )

"""The AWS of the tests refuses what AWS refuses: without that, a test that passes against it says nothing."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.aws_answers import b64
from tests.support.strict_aws import KEY, REGION, StrictAws
from tests.support.strict_ebs import BLOCK

FULL, SNAPSHOT = b"x" * BLOCK, "snap-00000000000000001"
START = {"VolumeSize": 1, "ClientToken": "one", "Description": "", "Timeout": 60, "Tags": []}
REGISTER = {
    "Action": "RegisterImage",
    "Name": "trackback-one",
    "Architecture": "x86_64",
    "BootMode": "uefi-preferred",
    "VirtualizationType": "hvm",
    "ImdsSupport": "v2.0",
    "EnaSupport": "true",
    "RootDeviceName": "/dev/xvda",
    "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
    "BlockDeviceMapping.1.Ebs.SnapshotId": SNAPSHOT,
    "BlockDeviceMapping.1.Ebs.VolumeSize": "1",
    "TagSpecification.1.ResourceType": "image",
}
TOO_LONG = {"Key": "a", "Value": "x" * 257}


class Client:
    """Asks without botocore, which would not send most of this. Each answer is the code of the fault, or None."""

    def __init__(self) -> None:
        self.aws = StrictAws()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: object) -> str | None:
        service = "ec2" if path == "/" else "ebs"
        said = {
            f"x-amz-{key.lower().replace('_', '-')}": str(value) for key, value in headers.items() if value is not None
        }
        said["authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/20261127/{REGION}/{service}/aws4_request, …"
        status, answered, content = self.aws.answer(method, path, said, body)
        text = content.decode(errors="replace")
        if status < 300:
            return None
        return answered.get("x-amzn-errortype") or text.partition("<Code>")[2].partition("</Code>")[0]

    def start(self, **changed: Any) -> str | None:
        return self.ask("POST", "/snapshots", json.dumps({**START, **changed}).encode())

    def put(self, index: int = 0, body: bytes = FULL, snapshot: str = SNAPSHOT, **changed: object) -> str | None:
        headers: dict[str, Any] = {
            "Data_Length": BLOCK, "Checksum": b64(hashlib.sha256(body).digest()), "Checksum_Algorithm": "SHA256",
            **changed,
        }  # fmt: skip
        return self.ask("PUT", f"/snapshots/{snapshot}/blocks/{index}", body, **headers)

    def complete(self, snapshot: str = SNAPSHOT, **changed: object) -> str | None:
        aggregate = b64(hashlib.sha256(hashlib.sha256(FULL).digest()).digest())
        headers: dict[str, Any] = {
            "ChangedBlocksCount": 1, "Checksum": aggregate, "Checksum_Algorithm": "SHA256",
            "Checksum_Aggregation_Method": "LINEAR", **changed,
        }  # fmt: skip
        return self.ask("POST", f"/snapshots/completion/{snapshot}", **headers)

    def register(self, **changed: str | None) -> str | None:
        wanted: Mapping[str, str | None] = {**REGISTER, **changed}
        return self.ask("POST", "/", urlencode({key: one for key, one in wanted.items() if one is not None}).encode())


@pytest.fixture
def begun() -> Client:
    """With a pending snapshot of one block."""
    client = Client()
    assert (client.start(), client.put()) == (None, None)
    return client


@pytest.fixture
def completed(begun: Client) -> Client:
    assert begun.complete() is None
    return begun


@pytest.mark.parametrize(
    "changed",
    [
        {"VolumeSize": 0},
        {"VolumeSize": 65537},
        {"ClientToken": ""},
        {"ClientToken": "x" * 65},
        {"ClientToken": "é"},
        {"Description": "x" * 256},
        {"Timeout": 9},
        {"Tags": [{"Key": "aws:one", "Value": ""}]},
        {"Tags": [TOO_LONG]},
        {"Tags": [{"Key": f"{place}", "Value": ""} for place in range(51)]},
    ],
    ids=str,
)  # fmt: skip
def test_a_snapshot_of_no_possible_kind_is_not_begun(changed: dict[str, Any]) -> None:
    assert Client().start(**changed) == "ValidationException"


def test_a_token_stands_for_one_request_for_ever(begun: Client) -> None:
    assert begun.start() is None
    assert len(begun.aws.ebs.snapshots) == 1
    assert begun.start(VolumeSize=2) == "ConflictException"
    begun.aws.ebs.snapshots.clear()
    assert begun.start() is None
    assert begun.put() == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"snapshot": "snap-2"}, "ResourceNotFoundException"),
        ({"body": FULL[:-1]}, "ValidationException"),
        ({"body": FULL + b"x"}, "ValidationException"),
        ({"body": b""}, "ValidationException"),
        ({"Data_Length": 512}, "ValidationException"),
        ({"Data_Length": None}, "ValidationException"),
        ({"Checksum": b64(hashlib.sha256(b"").digest())}, "ValidationException"),
        ({"Checksum": hashlib.sha256(FULL).hexdigest()}, "ValidationException"),
        ({"Checksum": None}, "ValidationException"),
        ({"Checksum_Algorithm": "MD5"}, "ValidationException"),
        ({"index": 2048}, "ValidationException"),
        ({"Progress": 101}, "ValidationException"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_block_that_is_not_as_it_must_be_is_not_taken(changed: dict[str, Any], code: str, begun: Client) -> None:
    assert begun.put(**changed) == code
    assert len(begun.aws.ebs.snapshots[SNAPSHOT].blocks) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"snapshot": "snap-2"}, "ResourceNotFoundException"),
        ({"ChangedBlocksCount": 0}, "ValidationException"),
        ({"ChangedBlocksCount": 2}, "ValidationException"),
        ({"Checksum": b64(hashlib.sha256(FULL).digest())}, "ValidationException"),
        ({"Checksum_Aggregation_Method": None}, "ValidationException"),
        ({"Checksum_Algorithm": None}, "ValidationException"),
    ],
    ids=str,
)
def test_a_snapshot_that_lacks_a_block_is_not_completed(changed: dict[str, Any], code: str, begun: Client) -> None:
    assert begun.complete(**changed) == code
    assert begun.aws.ebs.snapshots[SNAPSHOT].state == "pending"


def test_the_aggregate_is_over_digests_in_the_order_of_their_blocks() -> None:
    client, other = Client(), b"y" * BLOCK
    client.start()
    assert (client.put(7, other), client.put(3)) == (None, None)
    digests = [hashlib.sha256(one).digest() for one in (other, FULL)]
    as_sent = b64(hashlib.sha256(b"".join(digests)).digest())
    in_order = b64(hashlib.sha256(b"".join(reversed(digests))).digest())
    assert client.complete(ChangedBlocksCount=2, Checksum=as_sent) == "ValidationException"
    assert client.complete(ChangedBlocksCount=2, Checksum=in_order) is None


@pytest.mark.parametrize("again", [Client.put, Client.complete])
def test_a_completed_snapshot_is_not_changed(again: Callable[[Client], str | None], completed: Client) -> None:
    assert again(completed) == "ValidationException"


def test_a_pending_snapshot_is_not_read(begun: Client) -> None:
    blocks = f"/snapshots/{SNAPSHOT}/blocks"
    assert begun.ask("GET", blocks) == begun.ask("GET", f"{blocks}/0?blockToken=x") == "ValidationException"


@pytest.mark.parametrize("query", ["/0?blockToken=eA==", "/0", "?maxResults=99", "?maxResults=10001"])
def test_a_block_is_read_with_its_own_token_and_listed_with_many_others(query: str, completed: Client) -> None:
    assert completed.ask("GET", f"/snapshots/{SNAPSHOT}/blocks{query}") == "ValidationException"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"Architecture": None}, "InvalidParameterValue"),
        ({"Architecture": "sparc"}, "InvalidParameterValue"),
        ({"BootMode": None}, "InvalidParameterValue"),
        ({"VirtualizationType": "paravirtual"}, "InvalidParameterValue"),
        ({"ImdsSupport": None}, "InvalidParameterValue"),
        ({"EnaSupport": None}, "InvalidParameterValue"),
        ({"TpmSupport": "v2.0"}, "InvalidParameterValue"),
        ({"RootDeviceName": "/dev/sda1"}, "InvalidParameterValue"),
        ({"Name": "no:colons"}, "InvalidAMIName.Malformed"),
        ({"Name": "x" * 129}, "InvalidAMIName.Malformed"),
        ({"BlockDeviceMapping.1.Ebs.SnapshotId": "snap-2"}, "InvalidSnapshot.NotFound"),
        ({"TagSpecification.1.ResourceType": "instance"}, "InvalidParameterValue"),
    ],
    ids=str,
)
def test_an_ami_of_no_possible_kind_is_not_registered(
    changed: dict[str, str | None], code: str, completed: Client
) -> None:
    assert completed.register(**changed) == code
    assert completed.aws.ec2.images == {}


def test_an_ami_is_made_of_a_completed_snapshot_under_a_name_of_its_own(begun: Client) -> None:
    assert begun.register() == "IncorrectState"
    begun.complete()
    assert (begun.register(), begun.register()) == (None, "InvalidAMIName.Duplicate")


def test_an_ami_has_a_volume_that_holds_its_snapshot() -> None:
    client = Client()
    client.start(VolumeSize=2)
    client.put()
    client.complete()
    assert client.register() == "InvalidParameterValue"
    assert client.register(**{"BlockDeviceMapping.1.Ebs.VolumeSize": "2"}) is None


def test_a_block_comes_back_as_it_was_put(completed: Client) -> None:
    token = completed.aws.ebs.snapshots[SNAPSHOT].token(0)
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20261127/{REGION}/ebs/aws4_request, …"}
    path = f"/snapshots/{SNAPSHOT}/blocks/0?blockToken={token}".replace("+", "%2B")
    status, answered, content = completed.aws.answer("GET", path, headers, b"")
    assert (status, content) == (200, FULL)
    assert base64.b64decode(answered["x-amz-Checksum"]) == hashlib.sha256(FULL).digest()

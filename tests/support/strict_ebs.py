"""The EBS direct API, as strict as AWS documents it: no more of it than publish-image asks for."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_answers import Answer, Fault, as_json, b64, refuse_unless

BLOCK = 524288


@dataclass
class StoredSnapshot:
    """`still_pending`: so many times it is described as pending after it was completed."""

    id: str
    request: dict[str, Any]
    state: str = "pending"
    blocks: dict[int, bytes] = field(default_factory=dict)
    still_pending: int = 0

    @property
    def tags(self) -> dict[str, str]:
        return {one["Key"]: one["Value"] for one in self.request.get("Tags", [])}

    def described(self) -> dict[str, str]:
        state = self.state
        if state == "completed" and self.still_pending > 0:
            self.still_pending -= 1
            state = "pending"
        return {"snapshotId": self.id, "status": state}

    def aggregate(self) -> str:
        digests = [hashlib.sha256(self.blocks[index]).digest() for index in sorted(self.blocks)]
        return b64(hashlib.sha256(b"".join(digests)).digest())

    def token(self, index: int) -> str:
        return b64(hashlib.sha256(f"{self.id} {index}".encode()).digest())


@dataclass
class StrictEbs:
    """`before_put` is called with a snapshot's number of blocks before each that it takes; `page` of them are listed
    in one answer."""

    snapshots: dict[str, StoredSnapshot] = field(default_factory=dict)
    before_put: Callable[[int], None] = lambda _: None
    still_pending: int = 0
    page: int = 100
    # By client token, which stays for ever: the id, and the request that it stands for.
    _started: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def action(
        self, method: str, parts: list[str], query: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[str, Callable[[], Answer]]:
        match method, parts:
            case "POST", ["snapshots"]:
                return "StartSnapshot", lambda: self._start(json.loads(body))
            case "POST", ["snapshots", "completion", snapshot]:
                return "CompleteSnapshot", lambda: self._complete(snapshot, headers)
            case "PUT", ["snapshots", snapshot, "blocks", index]:
                return "PutSnapshotBlock", lambda: self._put(snapshot, int(index), headers, body)
            case "GET", ["snapshots", snapshot, "blocks"]:
                return "ListSnapshotBlocks", lambda: self._list(snapshot, query)
            case "GET", ["snapshots", snapshot, "blocks", index]:
                return "GetSnapshotBlock", lambda: self._get(snapshot, int(index), query)
        raise AssertionError(f"{method} {parts}: not one of EBS's")

    def _start(self, request: dict[str, Any]) -> Answer:
        _check_start(request)
        fresh = f"snap-{len(self._started) + 1:017x}"
        known, asked = self._started.setdefault(request["ClientToken"], (fresh, request))
        if asked != request:
            raise Fault("ConflictException", "the token is of another request")
        if known == fresh:
            self.snapshots[known] = StoredSnapshot(known, request)
        return as_json(201, {"SnapshotId": known, "Status": "pending", "BlockSize": BLOCK, **request})

    def _put(self, snapshot: str, index: int, headers: Mapping[str, str], body: bytes) -> Answer:
        stored = self._stored(snapshot, "pending")
        self.before_put(len(stored.blocks))
        checksum = b64(hashlib.sha256(body).digest())
        refuse_unless(headers.get("x-amz-data-length") == str(BLOCK), f"DataLength must be {BLOCK}")
        refuse_unless(len(body) == BLOCK, f"expected {BLOCK} bytes, found {len(body)}")
        refuse_unless(headers.get("x-amz-checksum-algorithm") == "SHA256", "ChecksumAlgorithm must be SHA256")
        refuse_unless(headers.get("x-amz-checksum") == checksum, f"the checksum of block {index} differs")
        refuse_unless(0 <= index < stored.request["VolumeSize"] * 2048, f"block {index} is beyond the volume")
        refuse_unless(0 <= int(headers.get("x-amz-progress", "0")) <= 100, "Progress is a percentage")
        stored.blocks[index] = body
        return 201, {"x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"}, b"{}"

    def _complete(self, snapshot: str, headers: Mapping[str, str]) -> Answer:
        stored = self._stored(snapshot, "pending")
        count = headers.get("x-amz-changedblockscount", "")
        refuse_unless(count == str(len(stored.blocks)), f"ChangedBlocksCount {count}, {len(stored.blocks)} were put")
        if checksum := headers.get("x-amz-checksum"):
            how = headers.get("x-amz-checksum-algorithm"), headers.get("x-amz-checksum-aggregation-method")
            refuse_unless(how == ("SHA256", "LINEAR"), "an aggregate checksum needs SHA256 and LINEAR")
            refuse_unless(checksum == stored.aggregate(), "the aggregate checksum differs")
        stored.state, stored.still_pending = "completed", self.still_pending
        return as_json(202, {"Status": "pending"})

    def _list(self, snapshot: str, query: Mapping[str, str]) -> Answer:
        stored = self._stored(snapshot, "completed")
        refuse_unless(100 <= int(query.get("maxResults", "100")) <= 10_000, "MaxResults is 100 to 10,000")
        start = int(base64.b64decode(query["pageToken"])) if "pageToken" in query else 0
        indexes = sorted(stored.blocks)
        listed = [{"BlockIndex": one, "BlockToken": stored.token(one)} for one in indexes[start : start + self.page]]
        more = {"NextToken": b64(str(start + self.page).encode())} if len(indexes) > start + self.page else {}
        return as_json(200, {"Blocks": listed, "BlockSize": BLOCK, **more})

    def _get(self, snapshot: str, index: int, query: Mapping[str, str]) -> Answer:
        stored = self._stored(snapshot, "completed")
        refuse_unless(query.get("blockToken") == stored.token(index), "the token is of another block")
        content = stored.blocks[index]
        checksum = b64(hashlib.sha256(content).digest())
        said = {"x-amz-Data-Length": str(BLOCK), "x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"}
        return 200, said, content

    def _stored(self, snapshot: str, state: str) -> StoredSnapshot:
        if snapshot not in self.snapshots:
            raise Fault("ResourceNotFoundException", f"The snapshot '{snapshot}' does not exist.", 404)
        stored = self.snapshots[snapshot]
        refuse_unless(stored.state == state, f"{snapshot} is {stored.state}, not {state}")
        return stored


def _check_start(request: dict[str, Any]) -> None:
    refuse_unless(1 <= request.get("VolumeSize", 0) <= 65536, "VolumeSize is 1 to 65,536 GiB")
    token = request.get("ClientToken", "")
    refuse_unless(bool(re.fullmatch(r"[!-~]{1,64}", token)), "ClientToken is at most 64 ASCII characters")
    refuse_unless(len(request.get("Description", "")) <= 255, "Description has at most 255 characters")
    refuse_unless(10 <= request.get("Timeout", 60) <= 4320, "Timeout is 10 to 4,320 minutes")
    check_tags({one["Key"]: one["Value"] for one in request.get("Tags", [])})


def check_tags(tags: Mapping[str, str]) -> None:
    refuse_unless(len(tags) <= 50, "at most 50 tags")
    for key, value in tags.items():
        sound = 0 < len(key) <= 128 and len(value) <= 256 and not key.lower().startswith("aws:")
        refuse_unless(sound, f"the tag {key} is not one")

"""Reads a completed snapshot back: it holds the disk that was sent, and nothing else."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.publishing.aws import Aws
from services.delivery.publishing.disk import BLOCK, Disk
from services.delivery.publishing.in_threads import in_threads
from services.delivery.publishing.progress import Progress


@dataclass(frozen=True)
class ReadBack:
    aws: Aws
    disk: Disk
    snapshot: str

    def verify(self, threads: int, into: Path | None = None) -> None:
        """Also writes the disk `into` a file, where one is named; it is left there when it differs, to be looked at.

        Raises Refused unless the snapshot has exactly the disk's blocks, and they are the disk byte by byte.
        """
        tokens = self._tokens()
        found = self._contents(tokens, threads)
        sha256, left = hashlib.sha256(), self.disk.image.bytes
        with ExitStack() as stack:
            file = stack.enter_context(into.open("wb")) if into else None
            for index in range(-(-self.disk.image.bytes // BLOCK)):
                content = (next(found) if index in tokens else bytes(BLOCK))[:left]
                left -= len(content)
                sha256.update(content)
                if file and index in tokens:
                    file.seek(index * BLOCK)
                    file.write(content)
            if file:
                os.truncate(file.fileno(), self.disk.image.bytes)
        if sha256.hexdigest() != self.disk.image.sha256:
            raise Refused(
                f"expected {self.snapshot} to hold {self.disk.image.sha256[:12]}…, found {sha256.hexdigest()[:12]}…"
            )

    def _tokens(self) -> dict[int, str]:
        pages = self.aws.pages("ebs:ListSnapshotBlocks", SnapshotId=self.snapshot)
        tokens = {one["BlockIndex"]: one["BlockToken"] for page in pages for one in page["Blocks"]}
        missing, new = self.disk.digests.keys() - tokens.keys(), tokens.keys() - self.disk.digests.keys()
        if missing or new:
            raise Refused(
                f"expected {self.snapshot} to hold the {len(self.disk.digests):,} blocks of {self.disk.path.name}, "
                f"found {len(missing):,} of them missing and {len(new):,} others"
            )
        return tokens

    def _contents(self, tokens: dict[int, str], threads: int) -> Iterator[bytes]:
        progress = Progress(f"reading {self.snapshot} back", len(tokens))
        for content in in_threads(lambda index: self._get(index, tokens[index]), sorted(tokens), threads):
            progress.one_more()
            yield content

    def _get(self, index: int, token: str) -> bytes:
        content = self.aws.read("ebs:GetSnapshotBlock", SnapshotId=self.snapshot, BlockIndex=index, BlockToken=token)
        if hashlib.sha256(content).digest() != self.disk.digests[index]:
            raise Refused(f"expected {self.snapshot} to hold the disk, found block {index} with another content")
        return content

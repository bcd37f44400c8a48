"""A machine image's raw file, read in place by a plain user: partitions, boot partition and both file systems."""

import hashlib
import subprocess
from functools import cached_property
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from services.contract.machine_image import ImageContent
from services.contract.release import Release
from services.delivery.machine_image.disk import BASE, BIOS, ESP, ESP_FOLDER, RELEASE
from services.delivery.machine_image.gpt import Partition, read_partitions
from services.delivery.machine_image.squashfs import list_entries, read_file
from services.delivery.machine_image.tools import READING, environment, require_tools

_CHUNK = 1 << 20


class RawFile:
    """Every method raises Refused for a file that is no machine image."""

    def __init__(self, path: Path) -> None:
        require_tools(READING)
        self.path = path
        self.partitions = read_partitions(path)
        if list(self.partitions) != [BIOS, ESP, BASE, RELEASE]:
            found = ", ".join(self.partitions) or "none"
            raise Refused(f"{path}: expected the partitions of a machine image, found {found}")

    @cached_property
    def content(self) -> ImageContent:
        """What it says of itself."""
        return ImageContent.from_json(self.boot_file(f"{ESP_FOLDER}/{names.MACHINE_IMAGE_FILE}"), str(self.path))

    @cached_property
    def release(self) -> Release:
        return Release.from_json(self.file(RELEASE, names.RELEASE_FILE), str(self.path))

    def verify(self) -> None:
        """Raises Refused when base or release are not of the bytes that the file itself names."""
        said = self.content
        for partition, expected, size in (
            (BASE, said.base_sha256, said.base_bytes),
            (RELEASE, said.release_sha256, said.release_bytes),
        ):
            if (found := self.sha256(partition, size)) != expected:
                raise Refused(
                    f"{self.path}: expected the {partition} {expected[:12]}…, found {found[:12]}…: the file is "
                    "damaged, build the image again"
                )

    def boot_file(self, name: str) -> bytes:
        words = ["mtype", "-i", f"{self.path}@@{self._at(ESP).start}", f"::{name}"]
        done = subprocess.run(words, env=environment(), capture_output=True, check=False)
        if done.returncode != 0:
            raise Refused(f"{self.path}: expected {name} in its boot partition, found none: is it damaged?")
        return done.stdout

    def file(self, partition: str, path: str) -> bytes:
        return read_file(self.path, self._at(partition).start, path)

    def entries(self, partition: str) -> list[str]:
        return list_entries(self.path, self._at(partition).start)

    def bytes_at(self, partition: str, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._at(partition).start)
            return file.read(count)

    def boot_code(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(440)

    def sha256(self, partition: str, size: int) -> str:
        """Of the first `size` bytes of a partition: that of its file system."""
        total = hashlib.sha256()
        with self.path.open("rb") as file:
            file.seek(self._at(partition).start)
            while size > 0 and (block := file.read(min(size, _CHUNK))):
                total.update(block)
                size -= len(block)
        return total.hexdigest()

    def _at(self, partition: str) -> Partition:
        return self.partitions[partition]

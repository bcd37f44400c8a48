"""Files of a batch on a disk of memory, as `services.batch.files.Files` has them; it can end after any change."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.contract.errors import Refused


class Ended(Exception):
    """In the place of a kill: nothing after it happens."""


@dataclass
class MemoryFiles:
    """`at_once` is whether a folder is renamed at once; `changes` are those that are made before the end."""

    at_once: bool = True
    changes: int = 1_000_000
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def names(self, address: str) -> list[str]:
        below = [path.removeprefix(f"{address}/") for path in self._below(address)]
        return sorted({path.partition("/")[0] for path in below})

    def exists(self, address: str) -> bool:
        return address in self.files or address in self.folders or any(self._below(address))

    def read(self, address: str) -> str | None:
        return self.files.get(address)

    def write(self, address: str, text: str) -> None:
        self._change()
        self.files[address] = text

    def delete(self, address: str) -> None:
        """File by file, since a store of objects ends in the middle of it."""
        for path in sorted(self._below(address)) + [address]:
            if path in self.files:
                self._change()
                del self.files[path]
        self.folders -= {folder for folder in self.folders if f"{folder}/".startswith(f"{address}/")}

    def make_folder(self, address: str) -> None:
        self._change()
        self.folders.add(address)

    def move_file(self, source: str, target: str) -> None:
        if target not in self.files:
            self._change()
            self.files[target] = self.files[source]
        self.delete(source)

    def move_folder(self, source: str, target: str) -> None:
        if self.exists(target):
            raise Refused(f"{target}: is there")
        self._change()
        for path in self._below(source):
            self.files[target + path.removeprefix(source)] = self.files.pop(path)
        moved = {folder for folder in self.folders if f"{folder}/".startswith(f"{source}/")}
        self.folders = (self.folders - moved) | {target + folder.removeprefix(source) for folder in moved}

    def renames(self, address: str) -> bool:  # noqa: ARG002  of the protocol
        return self.at_once

    def below(self, address: str) -> dict[str, str]:
        """The texts of all files there."""
        return {path.removeprefix(f"{address}/"): self.files[path] for path in self._below(address)}

    def _below(self, address: str) -> Iterable[str]:
        return [path for path in self.files if path.startswith(f"{address}/")]

    def _change(self) -> None:
        if self.changes == 0:
            raise Ended
        self.changes -= 1

"""The packages that are installed where a run is trained, and the lock file that they are from."""

import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from services.contract import names
from services.contract.candidate import Environment

PACKAGES_FILE = "packages.txt"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(==[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Installed:
    """`packages` are sorted `name==version` lines; `lock` is the file that pins every one of them."""

    packages: str
    lock: Path | None

    @property
    def environment(self) -> Environment:
        return Environment(
            packages=self.packages.count("\n"),
            sha256=hashlib.sha256(self.packages.encode()).hexdigest(),
            lock=self.lock.name if self.lock else None,
        )

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / PACKAGES_FILE).write_text(self.packages)
        if self.lock:
            (folder / self.lock.name).write_bytes(self.lock.read_bytes())


def installed(locks: Path) -> Installed:
    """`locks` is a folder of lock files; a model's own environment holds its own. Of those that pin all that is
    installed, the shortest counts."""
    packages = {f"{_normal(one.name)}=={one.version}" for one in metadata.distributions()}
    known = [*sorted(locks.glob("*.txt")), *Path(sys.prefix).glob(names.LOCK_FILE)]
    pinned = {lock: set(_pins(lock)) for lock in known}
    fitting = [lock for lock, pins in pinned.items() if packages <= pins]
    lines = "".join(f"{package}\n" for package in sorted(packages))
    return Installed(lines, min(fitting, key=lambda lock: len(pinned[lock]), default=None))


def _pins(lock: Path) -> Iterator[str]:
    for name, version in _PIN.findall(lock.read_text(encoding="utf-8")):
        yield _normal(name) + version


def _normal(name: str) -> str:
    """Source: Python packaging user guide, names and normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()

"""The lock of the Debian packages in a machine image: name, version, architecture and SHA-256, a line each."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage

LOCK = Path(__file__).parent / "recipe" / "debian.lock"
RENEW = "scripts/lock-debian"
_LINE = re.compile(r"([a-z]+) (\S+) (\S+) ([a-z0-9]+) ([0-9a-f]{64})")


def read_lock(path: Path = LOCK) -> dict[str, tuple[DebianPackage, ...]]:
    """By tree. Raises Refused, naming file and line, for what is no lock."""
    found: dict[str, list[DebianPackage]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if not (fields := _LINE.fullmatch(line)):
            raise Refused(
                f"{path}:{number}: expected tree, name, version, architecture and SHA-256, found {line[:60]!r}: "
                f"write it anew by {RENEW}"
            )
        tree, name, version, architecture, sha256 = fields.groups()
        one = DebianPackage(name=name, version=version, architecture=architecture, sha256=sha256)
        found.setdefault(tree, []).append(one)
    return {tree: tuple(packages) for tree, packages in found.items()}


def write_lock(trees: Mapping[str, Sequence[DebianPackage]], day: str, path: Path = LOCK) -> None:
    lines = [
        f"# The Debian packages of machine images, as the mirror had them on {day}; written anew by {RENEW}.",
        *(
            f"{tree} {one.name} {one.version} {one.architecture} {one.sha256}"
            for tree, packages in sorted(trees.items())
            for one in packages
        ),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def drift(locked: Sequence[DebianPackage], found: Sequence[DebianPackage]) -> tuple[str, ...]:
    """What is not as locked, in words; nothing when all is."""
    expected, there = {_key(one): one for one in locked}, {_key(one): one for one in found}
    words = []
    for key in sorted(expected.keys() | there.keys()):
        was, now = expected.get(key), there.get(key)
        if was != now:
            words.append(f"{key[0]} {_said(was, now)}")
    return tuple(words)


def _key(one: DebianPackage) -> tuple[str, str]:
    return one.name, one.architecture


def _said(was: DebianPackage | None, now: DebianPackage | None) -> str:
    if was is None or now is None:
        return f"{now.version if now else 'gone'}, locked {was.version if was else 'not at all'}"
    if was.version == now.version:
        return f"{now.version} of other bytes than locked"
    return f"{now.version}, locked {was.version}"

"""Opens the folder of a release: nothing in it is read before its digest was compared."""

from pathlib import Path

from services.contract import names
from services.contract.digest import file_sha256, verify_directory
from services.contract.errors import Refused
from services.contract.release import Golden, Manifest, Release


def open_release(folder: Path, digest: str) -> tuple[Release, Golden]:
    """Raises Refused for a folder that is missing or changed, and for one that contradicts itself."""
    verify_directory(folder, digest)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    golden = folder / names.GOLDEN_FILE
    if (found := file_sha256(golden)) != manifest.golden:
        raise Refused(f"{golden}: expected digest {manifest.golden[:12]}…, found {found[:12]}…: package it again")
    if manifest.revision != (label := manifest.candidate.promotion.label):
        raise Refused(f"expected one revision in the manifest, found {manifest.revision} and {label}: package it again")
    return Release(digest=digest, manifest=manifest), Golden.read(golden)

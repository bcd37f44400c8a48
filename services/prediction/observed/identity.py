"""What every line, span and metric says of who answered."""

from services.contract.release import Release


def identity_of(release: Release) -> dict[str, str]:
    manifest = release.manifest
    return {"model": manifest.model, "revision": manifest.revision, "release": release.digest}

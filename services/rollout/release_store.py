"""Releases as the delivery left them, checked anew each time one is to be started."""

from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.release import Golden, Image, Manifest, Release


@dataclass(frozen=True)
class StoredRelease:
    folder: Path
    release: Release
    golden: Golden

    @property
    def digest(self) -> str:
        return self.release.digest

    @property
    def model(self) -> str:
        return self.release.manifest.model

    @property
    def manifest(self) -> Manifest:
        return self.release.manifest


class ReleaseStore:
    def __init__(self, folder: Path) -> None:
        self._releases = folder / names.RELEASES_FOLDER
        self._images = folder / names.IMAGES_FOLDER

    def find(self, model: str, digest: str) -> StoredRelease:
        """Raises Refused for a release that is absent, changed, of another model or at odds with itself."""
        folder = self._releases / digest
        if not folder.is_dir():
            raise Refused(f"expected release {digest[:12]}… in {self._releases}, found none: package it first")
        release, golden = open_release(folder, digest)
        if release.manifest.model != model:
            raise Refused(f"expected a release of {model}, found one of {release.manifest.model}")
        return StoredRelease(folder, release.model_copy(update={"image": self._image(digest)}), golden)

    def _image(self, digest: str) -> Image | None:
        path = self._images / f"{digest}.json"
        if not path.exists():
            return None
        image = Image.read(path)
        if image.release != digest:
            raise Refused(f"{path}: expected the image of release {digest[:12]}…, found one of {image.release[:12]}…")
        return image

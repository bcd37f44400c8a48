"""Releases as the delivery left them, checked anew each time one is to be started."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.digest import verify_directory
from services.contract.errors import Refused, reason
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
    """`others` are further stores, such as a backup: a release that `folder` has no more is fetched from there."""

    def __init__(self, folder: Path, others: Sequence[Path] = ()) -> None:
        self._releases = folder / names.RELEASES_FOLDER
        self._images = folder / names.IMAGES_FOLDER
        self._others = [other / names.RELEASES_FOLDER for other in others]

    def with_images(self) -> set[str]:
        """Digests of the releases of which an image is recorded."""
        return {path.stem for path in self._images.glob("*.json")}

    def find(self, model: str, digest: str) -> StoredRelease:
        """Raises Refused for a release that is absent, changed, of another model or at odds with itself."""
        if (folder := self._place(digest)).parent != self._releases:
            self._fetch(folder, digest)
        return self._open(self._releases / digest, model, digest)

    def look(self, model: str, digest: str) -> StoredRelease:
        """As `find`, and nothing is fetched."""
        return self._open(self._place(digest), model, digest)

    def _place(self, digest: str) -> Path:
        places = [releases / digest for releases in (self._releases, *self._others)]
        if found := next((place for place in places if place.is_dir()), None):
            return found
        where = " or ".join(str(place.parent) for place in places)
        raise Refused(f"expected release {digest[:12]}… in {where}, found none: package it first, or restore a backup")

    def _fetch(self, source: Path, digest: str) -> None:
        """What is copied is looked at again before it is used; a copy that was cut off never has the release's name."""
        self._releases.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=self._releases, prefix=".fetched-") as staging:
                copied = shutil.copytree(source, Path(staging) / digest, symlinks=True)
                verify_directory(copied, digest)
                copied.rename(self._releases / digest)
        except OSError as error:
            raise Refused(f"expected to fetch release {digest[:12]}… from {source.parent}: {reason(error)}") from error

    def _open(self, folder: Path, model: str, digest: str) -> StoredRelease:
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

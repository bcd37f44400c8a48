"""The content-addressed store: models, hold-outs and releases by digest, complete or absent, checked on every use."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.digest import FileEntry, digest_directory, file_sha256, list_files, verify_directory
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.record import Record, Sha256, write_atomically
from services.contract.release import Image, Manifest, Release, Servable

ARCHIVE_FILE = "archive.json"
MACHINE_BASES = "machine-bases"


class Packaged(Record):
    """Which release a promotion became."""

    release: Sha256


class ChosenForm(Record):
    """How a model will answer, as validate decided; `graph` is the digest of what ONNX needs, None without it."""

    servable: Servable
    graph: Sha256 | None


class Archive(Record):
    """What a folder held when it was put into the store."""

    files: tuple[FileEntry, ...]


class Store:
    """Below `root`: folders `models/<digest>` and `releases/<digest>`, files `holdouts/<sha256>.csv`,
    `rows/<sha256>.npy` (hashes of training rows), `forms/<digest of the model>-<digest of the hold-out>.json`,
    `graphs/<sha256>.onnx`,
    `images/<digest of the release>.json`, `machine-images/<digest of the release>/`, `machine-bases/<digest of the
    recipe>/`, `packaged/<digest of the promotion and its model>.json` and
    `receipts/<digest of the release>/<digest of the receipt>.json`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def free_bytes(self) -> int:
        self._root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._root).free

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder on the store's own file system, gone at the end unless it was put into the store."""
        place = self._root / "staging"
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def put_model(self, folder: Path) -> str:
        return self._put("models", folder)

    def put_release(self, folder: Path) -> str:
        return self._put(names.RELEASES_FOLDER, folder)

    def packaged(self, candidate: Candidate) -> str | None:
        """The release that this promotion became before, None when it became none or that is damaged."""
        path = self._packaged_path(candidate)
        try:
            digest = Packaged.read(path).release
            self.release(digest)
        except Refused:
            path.unlink(missing_ok=True)
            return None
        return digest

    def put_packaged(self, candidate: Candidate, release: str) -> str:
        """The release that stands for this promotion: the first one that was recorded."""
        path = self._packaged_path(candidate)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.staging() as staging:
            Packaged(release=release).write(staging / path.name)
            with suppress(FileExistsError):
                path.hardlink_to(staging / path.name)
        return Packaged.read(path).release

    def _packaged_path(self, candidate: Candidate) -> Path:
        identity = (candidate.promotion.to_json(), candidate.digest, candidate.run.holdout.sha256)
        return self._root / "packaged" / f"{hashlib.sha256(''.join(identity).encode()).hexdigest()}.json"

    def put_receipt(self, receipt: Receipt) -> Path:
        """Of a batch that this release has scored."""
        content = receipt.to_json().encode()
        folder = self._root / names.RECEIPTS_FOLDER / receipt.release
        path = folder / f"{hashlib.sha256(content).hexdigest()}.json"
        write_atomically(path, content, 0o444)
        return path

    def find_release(self, model: str, start: str) -> str:
        """The digest of the one release of this model that begins so. Raises Refused where it is none or many."""
        known = [path.name for path in (self._root / names.RELEASES_FOLDER).glob("*") if self._is_of(path, model)]
        found = [digest for digest in known if digest.startswith(start)]
        if len(found) != 1:
            shown = ", ".join(sorted(digest[:12] for digest in known)) or "none"
            raise Refused(f"expected a release of {model} in the store, found '{start[:12]}': known are {shown}")
        return found[0]

    def any_release(self, wanted: str) -> Release:
        """By its revision, its digest or the start of that. Raises Refused when it is none or many."""
        known = [path for path in (self._root / names.RELEASES_FOLDER).glob("*") if names.SHA256.fullmatch(path.name)]
        if names.REVISION.fullmatch(wanted):
            found = [path for path in known if Manifest.read(path / names.MANIFEST_FILE).revision == wanted]
        else:
            found = [path for path in known if wanted and path.name.startswith(wanted)]
        if len(found) != 1:
            many = f"{len(found)} of them" if found else "none"
            raise Refused(
                f"expected one release '{wanted[:64]}' in {self._root}, found {many}: give its revision or digest"
            )
        return self.read_release(found[0].name)

    def read_release(self, digest: str) -> Release:
        """With the record of its image, if there is one. Raises Refused when it is absent or was changed."""
        manifest = Manifest.read(self.release(digest) / names.MANIFEST_FILE)
        image = self._root / names.IMAGES_FOLDER / f"{digest}.json"
        return Release(digest=digest, manifest=manifest, image=Image.read(image) if image.exists() else None)

    def releases(self) -> list[tuple[str, Manifest]]:
        """Those with a manifest that can be read, by their digests; their files are not looked at."""
        known = sorted(path for path in (self._root / names.RELEASES_FOLDER).glob("*"))
        chosen = [path for path in known if names.SHA256.fullmatch(path.name)]
        manifests = [(path.name, path / names.MANIFEST_FILE) for path in chosen]
        return [(digest, Manifest.read(file)) for digest, file in manifests if file.is_file()]

    def release_folder(self, digest: str) -> Path:
        return self._root / names.RELEASES_FOLDER / digest

    def image_record(self, digest: str) -> Path:
        return self._root / names.IMAGES_FOLDER / f"{digest}.json"

    def refers_to(self, release: str) -> bool:
        """Whether a batch has a receipt of this release, or it is in a machine image."""
        receipts = (self._root / names.RECEIPTS_FOLDER / release).glob("*.json")
        return any(receipts) or self.machine_image(release).is_dir()

    def cached(self) -> Iterator[tuple[str, Path]]:
        """What can be made or fetched again, and in words what it is."""
        kinds = {"models": "a model", "forms": "a form", "graphs": "a graph", "scores": "answers", "rows": "row hashes"}
        for kind, what in {**kinds, "staging": "what was left half done"}.items():
            yield from ((what, path) for path in sorted((self._root / kind).glob("*")))

    def _is_of(self, release: Path, model: str) -> bool:
        manifest = release / names.MANIFEST_FILE
        return manifest.is_file() and Manifest.read(manifest).model == model

    def put_image(self, image: Image) -> None:
        """The record that lets the rollout service start it."""
        path = self._root / names.IMAGES_FOLDER / f"{image.release}.json"
        image.write(path)
        # As all of the store: another user reads it.
        path.chmod(0o444)

    def machine_image(self, release: str) -> Path:
        """The folder of a release's disk, whether or not there is one."""
        return self._root / names.MACHINE_IMAGES_FOLDER / release

    def machine_images(self) -> list[Path]:
        return sorted(path for path in (self._root / names.MACHINE_IMAGES_FOLDER).glob("*") if path.is_dir())

    def machine_bases(self) -> list[Path]:
        return sorted(path for path in (self._root / MACHINE_BASES).glob("*") if path.is_dir())

    def put_machine_image(self, folder: Path, release: str) -> Path:
        """In place of a damaged or older one; a reader finds one of them whole."""
        _for_readers(folder)
        return _put_folder(folder, self.machine_image(release))

    def archived(self, kind: str, recipe: str) -> Path | None:
        """What was made by a recipe, None when it is absent or was changed since."""
        folder = self._root / kind / recipe
        try:
            return folder if Archive.read(folder / ARCHIVE_FILE).files == _listed(folder) else None
        except Refused:
            return None

    def archived_sha256(self, file: Path) -> str:
        """Of a file at the top of an archived folder, as it was when it was put there."""
        listed = {entry.path: entry.sha256 for entry in Archive.read(file.parent / ARCHIVE_FILE).files}
        return listed[file.name]

    def archive(self, kind: str, recipe: str, folder: Path) -> Path:
        Archive(files=list_files(folder)).write(folder / ARCHIVE_FILE)
        _for_readers(folder)
        return _put_folder(folder, self._root / kind / recipe)

    def receipts(self, release: str) -> list[Receipt]:
        """Of all batches of a release, the newest first. Raises Refused for a file that is none."""
        files = (self._root / names.RECEIPTS_FOLDER / release).glob("*.json")
        return sorted((Receipt.read(file) for file in files), key=lambda one: one.at, reverse=True)

    def put_holdout(self, file: Path, expected: str) -> None:
        """Raises Refused unless the file's SHA-256 is `expected`."""
        _put_file(file, self._holdout_path(expected), "a hold-out", expected)

    def put_row_hashes(self, file: Path, expected: str) -> None:
        """As `put_holdout`, of the hashes of a run's training rows."""
        _put_file(file, self._row_hashes_path(expected), "hashes of training rows", expected)

    def model(self, digest: str) -> Path:
        """Raises Refused when it is absent or was changed."""
        return self._verified("models", digest)

    def release(self, digest: str) -> Path:
        return self._verified(names.RELEASES_FOLDER, digest)

    def holdout(self, sha256: str) -> Path:
        path = self._holdout_path(sha256)
        if not path.is_file() or file_sha256(path) != sha256:
            raise Refused(f"{path}: expected the hold-out {sha256[:12]}…, found none or another: run fetch again")
        return path

    def row_hashes(self, sha256: str) -> Path:
        path = self._row_hashes_path(sha256)
        if not path.is_file() or file_sha256(path) != sha256:
            raise Refused(f"{path}: expected the row hashes {sha256[:12]}…, found none or others: run fetch again")
        return path

    def scores_path(self, model: str, holdout: str) -> Path:
        """Where the answers of one model to one hold-out are kept: both digests fix them."""
        return self._root / "scores" / f"{model}-{holdout}.json"

    def put_form(self, candidate: Candidate, servable: Servable, graph: bytes | None) -> None:
        """In place of what was decided before of the same model and hold-out."""
        digest = None
        if graph is not None:
            digest = hashlib.sha256(graph).hexdigest()
            write_atomically(self._graph_path(digest), graph, 0o444)
        ChosenForm(servable=servable, graph=digest).write(self._form_path(candidate))

    def form(self, candidate: Candidate) -> tuple[Servable, bytes | None]:
        """Raises Refused when validate has decided none, or the graph is absent or was changed."""
        path = self._form_path(candidate)
        if not path.is_file():
            raise Refused(f"{path}: expected the form that validate chose, found none: run validate again")
        chosen = ChosenForm.read(path)
        if chosen.graph is None:
            return chosen.servable, None
        file = self._graph_path(chosen.graph)
        if not file.is_file() or file_sha256(file) != chosen.graph:
            raise Refused(f"{file}: expected the graph {chosen.graph[:12]}…, found none or another: run validate again")
        return chosen.servable, file.read_bytes()

    def _form_path(self, candidate: Candidate) -> Path:
        return self._root / "forms" / f"{candidate.digest}-{candidate.run.holdout.sha256}.json"

    def _graph_path(self, sha256: str) -> Path:
        return self._root / "graphs" / f"{sha256}.onnx"

    def _holdout_path(self, sha256: str) -> Path:
        return self._root / "holdouts" / f"{sha256}.csv"

    def _row_hashes_path(self, sha256: str) -> Path:
        return self._root / "rows" / f"{sha256}.npy"

    def _verified(self, kind: str, digest: str) -> Path:
        folder = self._root / kind / digest
        if not folder.is_dir():
            raise Refused(f"{folder}: expected the {kind[:-1]} {digest[:12]}…, found none: run its pipeline again")
        verify_directory(folder, digest)
        return folder

    def _put(self, kind: str, folder: Path) -> str:
        digest = digest_directory(folder)
        target = self._root / kind / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        _for_readers(folder)
        try:
            folder.rename(target)
        except OSError:
            self._replace_if_damaged(folder, target, digest)
            # It is used again, which `prune` goes by.
            os.utime(target)
        return digest

    def _replace_if_damaged(self, folder: Path, target: Path, digest: str) -> None:
        if digest_directory(target) == digest:
            return
        target.rename(folder.with_name(f"damaged-{digest}-{folder.name}"))
        folder.rename(target)


def _for_readers(folder: Path) -> None:
    """Other users read what is in the store, and nobody changes it."""
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)


def _put_file(file: Path, target: Path, what: str, expected: str) -> None:
    found = file_sha256(file)
    if found != expected:
        raise Refused(f"expected {what} with SHA-256 {expected[:12]}…, found {found[:12]}…: it was changed")
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)


def _listed(folder: Path) -> tuple[FileEntry, ...]:
    return tuple(entry for entry in list_files(folder) if entry.path != ARCHIVE_FILE)


def _put_folder(folder: Path, target: Path) -> Path:
    """Renamed into its place, from where another one moves to where `folder` was: the staging, which goes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        target.rename(folder.with_name(f"replaced-{folder.name}"))
    folder.rename(target)
    return target

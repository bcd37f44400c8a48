"""A release as a container image, built without a Docker daemon: the base of its runtime and one layer on top.

Source: OCI Image Format Specification 1.1 (manifest, configuration, layers).
"""

import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from services.contract import names
from services.contract.digest import digest_files, file_sha256, list_files
from services.contract.errors import Refused
from services.contract.release import Image, Release
from services.delivery.packaging.image_registry import (
    INDEXES,
    MANIFESTS,
    OCI_LAYER,
    OCI_MANIFEST,
    Document,
    ImageRegistry,
    Json,
    canonical,
    sha256_of,
)

USER = "10001:10001"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
# What the daemon that built the base remembers of doing so.
_OF_THE_BUILD = ("container", "container_config", "docker_version")


@dataclass(frozen=True)
class Layer:
    """A tar file, its digest and its size in bytes."""

    file: Path
    digest: str
    size: int


@dataclass(frozen=True)
class Built:
    """The image, the bytes of its layer, and whether the registry had it already."""

    image: Image
    layer_bytes: int
    known: bool


@dataclass(frozen=True)
class Base:
    """The image that a release adds one layer to."""

    repository: str
    manifest: Document
    config: Json


@dataclass(frozen=True)
class Described:
    """An image by its documents: the bytes of manifest and configuration, and the layer that is the release's own."""

    manifest: bytes
    config: bytes
    layer: Layer

    @property
    def digest(self) -> str:
        return sha256_of(self.manifest)


def build_image(registry: ImageRegistry, release: Release, folder: Path, base_tag: str, staging: Path) -> Built:
    """Pushes the release in `folder` by digest: the same release on the same base is always the same image.

    Raises Refused when the release was changed, when the registry says no or cannot be reached, and without the base.
    """
    base = _base(registry, release, base_tag)
    built = describe(base, release, folder, staging)
    repository = f"{names.IMAGES}/{release.manifest.model}"
    if not (known := registry.has_manifest(repository, built.digest)):
        _push(registry, repository, base, built)
        registry.put_manifest(repository, built.digest, built.manifest, base.manifest.media_type)
    image = Image(release=release.digest, repository=repository, digest=built.digest, base=base.manifest.digest)
    return Built(image, built.layer.size, known)


def describe(base: Base, release: Release, folder: Path, staging: Path) -> Described:
    """The release in `folder` on its base, its layer written to `staging`. Raises Refused when it was changed."""
    layer = write_layer(folder, release.digest, staging / "layer.tar")
    config = canonical(_config(base, release, layer))
    return Described(canonical(_manifest(base, config, layer)), config, layer)


def write_layer(folder: Path, release: str, file: Path) -> Layer:
    """Exactly what the release's digest covers, at its place in the image. Raises Refused for another digest."""
    files = list_files(folder)
    if (found := digest_files(files)) != release:
        raise Refused(f"{folder}: expected digest {release[:12]}…, found {found[:12]}…: its files were changed")
    sizes = {PurePosixPath(entry.path): entry.size for entry in files}
    folders = {parent for path in sizes for parent in path.parents}
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted({*folders, *sizes}):
            _add(tar, folder / path, path, sizes.get(path))
    return Layer(file, f"sha256:{file_sha256(file)}", file.stat().st_size)


def _add(tar: tarfile.TarFile, source: Path, path: PurePosixPath, size: int | None) -> None:
    """A file of that size, or a folder; a TarInfo of its own making belongs to root and is of 1970."""
    entry = tarfile.TarInfo(str(names.RELEASE_FOLDER / path).lstrip("/"))
    if size is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
        return
    entry.size, entry.mode = size, 0o644
    with source.open("rb") as content:
        tar.addfile(entry, content)


def _base(registry: ImageRegistry, release: Release, tag: str) -> Base:
    form = release.manifest.servable.form
    if form is None:
        raise Refused(
            f"expected a release that can answer, found {release.digest[:12]}… for batch only: it has no image"
        )
    repository = f"{names.IMAGES}/prediction-{form.runtime}"
    document = registry.find(repository, tag)
    if document and document.media_type in INDEXES:
        document = registry.find(repository, _of_this_machine(document, repository, tag))
    if document is None:
        found = ", ".join(registry.tags(repository)) or "none"
        raise Refused(
            f"expected {repository}:{tag} in {registry.url}, found {found}: "
            "the rollout service brings it there when it starts, or set TRACKBACK_BASE_TAG"
        )
    if document.media_type not in MANIFESTS:
        raise Refused(f"{repository}:{tag}: expected an image manifest, found {document.media_type}: build it anew")
    return Base(repository, document, registry.json_blob(repository, document.content["config"]["digest"]))


def _of_this_machine(index: Document, repository: str, tag: str) -> str:
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    found = [(one.get("platform", {}), str(one["digest"])) for one in index.content["manifests"]]
    for machine, digest in found:
        if (machine.get("os"), machine.get("architecture")) == ("linux", wanted):
            return digest
    known = ", ".join(f"{machine.get('os')}/{machine.get('architecture')}" for machine, _ in found)
    raise Refused(f"expected {repository}:{tag} for linux/{wanted}, found {known or 'none'}: build it for this machine")


def _config(base: Base, release: Release, layer: Layer) -> Json:
    run = release.manifest.candidate.run
    # When the model came to be: the time of the build would make each build another image.
    created = run.ended_at.isoformat()
    kept = {key: value for key, value in base.config.items() if key not in _OF_THE_BUILD}
    inner = base.config.get("config") or {}
    labels = {**(inner.get("Labels") or {}), **_labels(base, release)}
    command = {"Cmd": ["--digest", release.digest], "User": USER, "Labels": labels}
    history = [*(base.config.get("history") or []), {"created": created, "created_by": "trackback package"}]
    rootfs = {**base.config["rootfs"], "diff_ids": [*base.config["rootfs"]["diff_ids"], layer.digest]}
    return {**kept, "config": {**inner, **command}, "created": created, "history": history, "rootfs": rootfs}


def _labels(base: Base, release: Release) -> dict[str, str]:
    manifest = release.manifest
    return {
        names.MODEL_LABEL: manifest.model,
        names.REVISION_LABEL: manifest.revision,
        names.RUN_LABEL: manifest.candidate.run.run_id,
        names.RELEASE_LABEL: release.digest,
        names.BASE_LABEL: base.manifest.digest,
    }


def _manifest(base: Base, config: bytes, layer: Layer) -> Json:
    content = base.manifest.content
    kind = OCI_LAYER if base.manifest.media_type == OCI_MANIFEST else _DOCKER_LAYER
    return {
        "schemaVersion": 2,
        "mediaType": base.manifest.media_type,
        "config": {**content["config"], "digest": sha256_of(config), "size": len(config)},
        "layers": [*content["layers"], {"mediaType": kind, "digest": layer.digest, "size": layer.size}],
    }


def _push(registry: ImageRegistry, repository: str, base: Base, built: Described) -> None:
    """What the registry lacks; a manifest may name only what is there."""
    for digest in [one["digest"] for one in base.manifest.content["layers"]]:
        if not registry.has_blob(repository, digest):
            registry.take_over(repository, digest, base.repository)
    for digest, content in ((built.layer.digest, built.layer.file), (sha256_of(built.config), built.config)):
        if not registry.has_blob(repository, digest):
            registry.upload(repository, digest, content)

"""An image as an OCI layout: a folder that every container tool reads, written without a registry or an engine.

Source: OCI Image Format Specification 1.1, "OCI Image Layout".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.delivery.machine_image.flatten import LayerFile
from services.delivery.packaging.image_registry import MANIFESTS, OCI_MANIFEST, canonical, sha256_of

_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class OciImage:
    """Manifest and configuration as bytes, so that their digests are known, and the layers from bottom to top."""

    digest: str
    manifest: bytes
    config: bytes
    layers: tuple[LayerFile, ...]

    @property
    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.config).get("config") or {})


def write_layout(folder: Path, manifest: bytes, config: bytes, layers: Mapping[str, Path]) -> None:
    """`layers` by digest; they are linked, because a layout and the base's cache lie on one file system."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, file in layers.items():
        (blobs / _hex(digest)).hardlink_to(file)
    for content in (manifest, config):
        (blobs / _hex(sha256_of(content))).write_bytes(content)
    kind = json.loads(manifest).get("mediaType", OCI_MANIFEST)
    described = {"mediaType": kind, "digest": sha256_of(manifest), "size": len(manifest)}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [described]}
    (folder / "index.json").write_bytes(canonical(index))
    (folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))


def read_layout(folder: Path) -> OciImage:
    """The one image in it. Raises Refused for documents that are not those of their digests."""
    index = json.loads((folder / "index.json").read_bytes())
    digest = str(index["manifests"][0]["digest"])
    manifest = _document(folder, digest)
    content = json.loads(manifest)
    if content.get("mediaType", OCI_MANIFEST) not in MANIFESTS:
        raise Refused(f"{folder}: expected an image manifest, found {content.get('mediaType')}")
    config = _document(folder, str(content["config"]["digest"]))
    digests = [str(layer["digest"]) for layer in content["layers"]]
    diff_ids = [str(diff_id) for diff_id in json.loads(config)["rootfs"]["diff_ids"]]
    if len(digests) != len(diff_ids):
        raise Refused(f"{folder}: expected a diff_id a layer, found {len(diff_ids)} of {len(digests)}")
    layers = [LayerFile(_blob(folder, one), one, other) for one, other in zip(digests, diff_ids, strict=True)]
    return OciImage(digest, manifest, config, tuple(layers))


def _document(folder: Path, digest: str) -> bytes:
    content = _blob(folder, digest).read_bytes()
    if (found := sha256_of(content)) != digest:
        raise Refused(f"{folder}: expected the document {digest[:19]}…, found {found[:19]}…: it was changed")
    return content


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / _hex(digest)


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")

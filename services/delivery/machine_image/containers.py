"""The release's container image: built here where there is no registry, else taken from there by digest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.contract import names
from services.contract.errors import Refused
from services.contract.machine_image import DebianPackage
from services.contract.release import Form, Image, Release
from services.delivery.machine_image.bases import ContainerBase, container_recipe, take_container_base
from services.delivery.machine_image.container_base import configuration
from services.delivery.machine_image.oci_layout import OciImage, read_layout, write_layout
from services.delivery.packaging.container_image import Base, describe
from services.delivery.packaging.image_registry import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Document,
    ImageRegistry,
    canonical,
    sha256_of,
)
from services.delivery.store import Store


@dataclass(frozen=True)
class Container:
    """`packages` are the Debian packages in it, as far as they are known."""

    image: OciImage
    packages: tuple[DebianPackage, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where the layout is to be, a folder that is not there yet, and one for what is only needed meanwhile; both are on
    the store's file system.
    """

    layout: Path
    staging: Path


class Containers(Protocol):
    def recipe(self, release: Release) -> str:
        """What tells the release's container from that of other inputs. Raises Refused when it has none."""

    def take(self, store: Store, release: Release, place: Place, locked: bool) -> Container:
        """The image as an OCI layout in its place. Raises Refused."""


class BuiltHere:
    """From the checkout's own sources and locks, without a registry or an engine."""

    def recipe(self, release: Release) -> str:
        return container_recipe(form_of(release).runtime)

    def take(self, store: Store, release: Release, place: Place, locked: bool) -> Container:
        runtime = form_of(release).runtime
        found = take_container_base(store, runtime, locked)
        base = _base(runtime, found)
        built = describe(base, release, store.release(release.digest), place.staging)
        layers = {found.digest: found.layer, built.layer.digest: built.layer.file}
        write_layout(place.layout, built.manifest, built.config, layers)
        return Container(read_layout(place.layout), found.packages, found.drift)


class FromRegistry:
    """By the digest that `package` recorded in the release."""

    def __init__(self, registry: ImageRegistry) -> None:
        self._registry = registry

    def recipe(self, release: Release) -> str:
        form_of(release)
        return _image(release).digest

    def take(self, store: Store, release: Release, place: Place, locked: bool) -> Container:  # noqa: ARG002
        image, registry = _image(release), self._registry
        manifest = registry.find(image.repository, image.digest)
        if manifest is None or manifest.digest != image.digest:
            raise Refused(
                f"expected {image.repository}@{image.digest[:19]}… in {registry.url}, found none: run package again"
            )
        config = registry.blob(image.repository, manifest.content["config"]["digest"])
        layers = {}
        for digest in (str(one["digest"]) for one in manifest.content["layers"]):
            layers[digest] = place.staging / digest.removeprefix("sha256:")
            registry.download(image.repository, digest, layers[digest])
        write_layout(place.layout, manifest.body, config, layers)
        return Container(read_layout(place.layout))


def form_of(release: Release) -> Form:
    """How it answers. Raises Refused when it is for batch on Spark only."""
    form = release.manifest.servable.form
    if form is None:
        raise Refused(
            f"expected a release that can answer, found {release.digest[:12]}… for batch only: it has no container; "
            f"score with it by: trackback score {release.manifest.model}"
        )
    return form


def _image(release: Release) -> Image:
    if release.image is None:
        raise Refused(
            f"expected the release {release.digest[:12]}… to name its container image, found none: "
            "run package again, with TRACKBACK_REGISTRY_URL set"
        )
    return release.image


def _base(runtime: str, found: ContainerBase) -> Base:
    config = canonical(configuration(runtime, found.digest))
    described = {"mediaType": OCI_CONFIG, "digest": sha256_of(config), "size": len(config)}
    layers = [{"mediaType": OCI_LAYER, "digest": found.digest, "size": found.layer.stat().st_size}]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": layers}
    document = Document(manifest, canonical(manifest), OCI_MANIFEST)
    return Base(f"{names.IMAGES}/prediction-{runtime}", document, json.loads(config))

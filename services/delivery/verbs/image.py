"""image: a release becomes a disk that boots by itself, scores its input and powers off."""

import time
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.release import Release
from services.delivery.machine_image.building import Built, build_machine_image
from services.delivery.machine_image.containers import BuiltHere, FromRegistry
from services.delivery.output import keep, say
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.settings import Settings
from services.delivery.store import Store


def image(
    release: Annotated[Path, typer.Option(help="release.json as package wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse Debian packages of other versions than the lock names.")
    ] = False,
) -> None:
    """Build the machine image of a release in the store, check it, and write image.json.

    Example: trackback image --release out/release.json --out out
    """
    settings, began = Settings(), time.monotonic()
    built = machine_image(settings, Release.read(release), locked)
    say(_told(built, time.monotonic() - began))
    keep(built.image, out, names.MACHINE_IMAGE_FILE)
    if out:
        (out / names.SBOM_FILE).write_bytes((built.folder / names.SBOM_FILE).read_bytes())


def machine_image(settings: Settings, release: Release, locked: bool) -> Built:
    store = Store(settings.store)
    if settings.registry_url is None:
        return build_machine_image(store, release, BuiltHere(), locked)
    with ImageRegistry(settings.registry_url) as registry:
        return build_machine_image(store, release, FromRegistry(registry), locked)


def _told(built: Built, seconds: float) -> str:
    image = built.image
    how = "was there already" if built.known else f"built in {seconds:.1f} s"
    drifted = f", {len(image.drift)} packages not as locked" if image.drift else ""
    return (
        f"machine image of {image.model} {image.revision}: {how}, {image.bytes / 1e6:.0f} MB, "
        f"{len(image.checks)} checks passed{drifted}: {built.folder / image.file}"
    )

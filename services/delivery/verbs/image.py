"""image: a release becomes a disk that boots by itself, scores its input and powers off."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.release import Release
from services.contract.signals import surely_exit_on
from services.delivery.clients.rollout_client import Rollout
from services.delivery.machine_image.bases import recipes
from services.delivery.machine_image.building import Built, build_machine_image
from services.delivery.machine_image.containers import BuiltHere, FromRegistry
from services.delivery.machine_image.prune import Pruned
from services.delivery.machine_image.prune import prune as prune_images
from services.delivery.output import emit, keep, say
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.settings import Settings
from services.delivery.store import Store


def image(
    release: Annotated[Path | None, typer.Option(help="release.json as package wrote it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse Debian packages of other versions than the lock names.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove images of releases before the live one, but not the previous one's.")
    ] = False,
) -> None:
    """Build the machine image of a release in the store, check it, and write image.json.

    Example: trackback image --release out/release.json --out out
    """
    settings = Settings()
    if (release is None) != prune:
        raise Refused("expected --release or --prune, found " + ("neither" if release is None else "both"))
    if release is None:
        emit(pruned(settings))
    else:
        _build(settings, release, out, locked)


def _build(settings: Settings, release: Path, out: Path | None, locked: bool) -> None:
    began, wanted = time.monotonic(), Release.read(release)
    refuse_switched_off(load_model_config(settings.models, wanted.manifest.model))
    # What was begun is removed by whoever began it.
    with surely_exit_on(signal.SIGTERM):
        built = machine_image(settings, wanted, locked)
    say(_told(built, time.monotonic() - began))
    keep(built.image, out, names.MACHINE_IMAGE_FILE)
    if out:
        (out / names.SBOM_FILE).write_bytes((built.folder / names.SBOM_FILE).read_bytes())


def refuse_switched_off(config: ModelConfig) -> None:
    """A stage that passed without an image would lie; a model without images has no pipeline of them."""
    if not config.batch.image:
        raise Refused(
            f"expected a model with machine images, found batch: {{image: false}} in the model.yaml of {config.name}: "
            f"take {config.name}{names.BATCH} out of the pipelines, or that line out of model.yaml"
        )


def machine_image(settings: Settings, release: Release, locked: bool) -> Built:
    store = Store(settings.store)
    if settings.registry_url is None:
        return build_machine_image(store, release, BuiltHere(), locked)
    with ImageRegistry(settings.registry_url) as registry:
        return build_machine_image(store, release, FromRegistry(registry), locked)


def pruned(settings: Settings) -> Pruned:
    """Raises Refused when the rollout service cannot say what is live: nothing is removed then."""
    done = prune_images(Store(settings.store), Rollout(settings.rollout_url).state, recipes())
    for one in done.removed:
        say(f"removed {one.what}: {one.bytes:,} bytes, {one.folder}")
    say(f"kept {', '.join(done.kept) or 'no image'}; {done.bytes:,} bytes are free again")
    return done


def _told(built: Built, seconds: float) -> str:
    image = built.image
    how = "was there already" if built.known else f"built in {seconds:.1f} s"
    drifted = f", {len(image.drift)} packages not as locked" if image.drift else ""
    return (
        f"machine image of {image.model} {image.revision}: {how}, {image.bytes / 1e6:.0f} MB, "
        f"{len(image.checks)} checks passed{drifted}: {built.folder / image.file}"
    )

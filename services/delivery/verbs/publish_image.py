"""publish-image: a machine image becomes an EBS snapshot and an AMI, once however often it is published."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.signals import surely_exit_on
from services.delivery.options import takes
from services.delivery.output import keep
from services.delivery.publishing.aws import Aws
from services.delivery.publishing.disk import read_disk
from services.delivery.publishing.publishing import Publishing
from services.delivery.settings import Settings
from services.delivery.store import Store


@dataclass(frozen=True)
class Options:
    image: Annotated[Path, typer.Argument(help=f"{names.MACHINE_IMAGE_FILE} as image wrote it, or the disk beside it.")]
    region: Annotated[str | None, typer.Option(help="Region of AWS; else as AWS's own tools find it.")] = None
    profile: Annotated[str | None, typer.Option(help="Profile of AWS; else as AWS's own tools find it.")] = None
    endpoint_url: Annotated[str | None, typer.Option(help="Ask this URL in place of AWS.")] = None
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Blocks under way at a time.")] = 8
    verify: Annotated[bool, typer.Option("--verify", help="Read every block back and compare.")] = False
    read_back: Annotated[
        Path | None, typer.Option(help="Also write what is read back into this file; implies --verify.")
    ] = None
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None


@takes(Options)
def publish_image(options: Options) -> None:
    """Publish a machine image to AWS: an EBS snapshot and an AMI with the tags of model, run and release.

    Interrupted or killed, the same command goes on with the blocks that are missing.
    Example: trackback publish-image out/image.json --verify --out out
    """
    settings = Settings()
    disk = read_disk(options.image, Store(settings.store))
    region = options.region or settings.aws_region
    with (
        surely_exit_on(signal.SIGINT, signal.SIGTERM),
        Aws(region, options.profile, options.endpoint_url, options.concurrency) as aws,
    ):
        publishing = Publishing(
            aws, settings.store / "publishing", options.concurrency, options.verify, options.read_back
        )
        published = publishing.publish(disk)
    keep(published, options.out, names.PUBLISHED_FILE)

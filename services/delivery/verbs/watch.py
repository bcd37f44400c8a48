"""watch: wait until what is live was watched for its bake, and fail when it was taken back."""

from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.record import write_atomically
from services.contract.release import Release
from services.delivery.clients.rollout_client import PATIENCE, Rollout
from services.delivery.output import keep, say
from services.delivery.reports.report import watched_page
from services.delivery.settings import Settings
from services.delivery.takeover.telling import tell_ending
from services.delivery.takeover.watching import watched


def watch(
    release: Annotated[Path, typer.Option(help="release.json as package wrote it.")],
    out: Annotated[Path | None, typer.Option(help="Write the JSON into this folder, not to stdout.")] = None,
) -> None:
    """Wait until the release was watched for the bake of its model.yaml; the rollout service judges and goes back.

    Exit 1 when it was taken back, by the analysis or by a person, or was replaced or retired in its bake: then with the
    words of who did. Example: trackback watch --release out/release.json
    """
    settings = Settings()
    found = Release.read(release)
    rollout = Rollout(settings.rollout_url, PATIENCE, settings.rollout_access_token)
    ended = watched(rollout, found, say)
    keep(ended, out, names.WATCH_FILE)
    if out:
        write_atomically(out / names.WATCH_PAGE, watched_page(ended).encode())
    tell_ending(settings, rollout, found, ended)
    if not ended.released:
        raise Refused(ended.words)
    say(ended.words)

"""Asks the release that answers in production, in a process of its own, what rows take it here and now."""

from collections.abc import Callable, Sequence
from functools import cache

from services.contract import names
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.model_config import ModelConfig
from services.contract.release import Manifest
from services.contract.row_times import Round
from services.delivery.output import say
from services.delivery.packaging.servable import Ask, Live
from services.delivery.scoring.holdout import Row
from services.delivery.store import Store


def live_rounds(store: Store, config: ModelConfig, ask: Ask, find_live: Callable[[], Deployment | None]) -> Live:
    """`find_live` is asked at the first use only. No rounds where nothing is live, or it takes other columns."""
    limit_ms = config.gates.latency_p99_ms

    @cache
    def release() -> str | None:
        live = find_live()
        return live.release if live else None

    def rounds(rows: Sequence[Row]) -> Sequence[Round]:
        try:
            if (digest := release()) is None:
                return ()
            folder = store.release(digest)
            manifest = Manifest.read(folder / names.MANIFEST_FILE)
            if manifest.servable.form is None or manifest.inputs != config.inputs:
                return ()
            return ask(folder, manifest.servable.form, rows, limit_ms).rounds
        except Refused as refused:
            say(f"note: the live release could not be timed beside this one: {refused}")
            return ()

    return rounds


def nothing_live(_: Sequence[Row]) -> Sequence[Round]:
    return ()

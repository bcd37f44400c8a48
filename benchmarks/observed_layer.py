"""`benchmarks/observed-layer`: CPU of ids, figures and logs for an answer, beside an empty layer, in turns."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.release import Manifest, PredictionLog, Release, ServingLimits
from services.prediction.observed.observer import Observer
from services.prediction.observed.settings import ObservedSettings

_HEADERS = [(name, b"localhost") for name in (b"host", b"user-agent", b"accept", b"content-type", b"content-length")]
_ANSWER = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
_BODY = {"type": "http.response.body", "body": b"{}"}


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        observers = _observers(Path(folder))
        ways: dict[str, ASGIApp] = {"no layer": _answer, "an empty layer": _Empty(_answer)}
        ways |= {name: observer.around(_answer) for name, observer in observers.items()}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(options.rounds):
            for name, app in ways.items():
                best[name] = min(best[name], _microseconds(runner, app, options.requests))
        for observer in observers.values():
            observer.close()
    bare, empty = best["no layer"], best["an empty layer"] - best["no layer"]
    sys.stdout.write(f"{'':36} {'µs more':>8} {'x empty':>8}\n")
    for name, found in best.items():
        sys.stdout.write(f"{name:36} {found - bare:8.2f} {(found - bare) / empty:8.1f}\n")
    return 0


def _observers(folder: Path) -> dict[str, Observer]:
    logs = ObservedSettings(predictions=folder, access_folder=folder, access_log=0.01)
    return {
        "ids and figures": Observer(_release(0.0)),
        "and figures of several workers": Observer(_release(0.0), ObservedSettings(figures=folder)),
        "and an access log of 1 %": Observer(_release(0.0), logs),
        "and both logs of 1 %": Observer(_release(0.01), logs),
    }


def _release(share: float) -> Release:
    limits = ServingLimits(prediction_log=PredictionLog(share=share))
    known: dict[str, Any] = {"model": "m", "revision": "1-aaaaaaaa", "inputs": (), "limits": limits}
    manifest = Manifest.model_construct(**known)
    return Release.model_construct(digest="d" * 64, manifest=manifest)


class _Empty:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _answer(scope: Scope, _: Receive, send: Send) -> None:
    if asked := scope.get("asked"):
        asked.rows = asked.batch = 1
    await send(dict(_ANSWER))
    await send(_BODY)


def _microseconds(runner: asyncio.Runner, app: ASGIApp, requests: int) -> float:
    async def ask_all() -> None:
        for _ in range(requests):
            scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": _HEADERS, "client": ("", 0)}
            await app(scope, _nothing, _drop)

    begun = process_time()
    runner.run(ask_all())
    return (process_time() - begun) / requests * 1e6


async def _nothing() -> Message:
    return _BODY


async def _drop(_: Message) -> None: ...


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/observed-layer", description=__doc__, epilog="example: benchmarks/observed-layer --rounds 20"
    )
    parser.add_argument("--rounds", type=int, default=9, help="the best of so many counts; %(default)s if not given")
    parser.add_argument("--requests", type=int, default=20_000, help="in a round; %(default)s if not given")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What an observer needs to know of a release, without a model; and requests to an application without a server."""

from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.contract.release import Manifest, PredictionLog, Release, ServingLimits
from tests.support.release_factory import INPUTS

DIGEST = "d" * 64
OFF = PredictionLog()
Headers = Sequence[tuple[bytes, bytes]]


def observed_release(log: PredictionLog = OFF) -> Release:
    limits = ServingLimits(prediction_log=log)
    known: dict[str, Any] = {"model": "diamond-price", "revision": "1-aaaaaaaa", "inputs": INPUTS, "limits": limits}
    return Release.model_construct(digest=DIGEST, manifest=Manifest.model_construct(**known))


def answering(status: int = 200, rows: Sequence[Any] = (), outputs: Sequence[Any] = ()) -> ASGIApp:
    """An application that has scored `rows`."""

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        asked = scope["asked"]
        asked.rows = asked.batch = len(rows)
        if asked.wanted:
            asked.inputs, asked.outputs = rows, outputs
        await send({"type": "http.response.start", "status": status, "headers": ()})
        await send({"type": "http.response.body", "body": b""})

    return app


async def ask(app: ASGIApp, headers: Headers = (), method: str = "POST", path: str = "/invocations") -> list[Message]:
    """What it sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers), "client": ("10.0.0.7", 4711)}
    await app(scope, _nothing, send)
    return sent


def id_of(sent: Sequence[Message]) -> str:
    found: bytes = dict(sent[0]["headers"])[b"x-request-id"]
    return found.decode()


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}

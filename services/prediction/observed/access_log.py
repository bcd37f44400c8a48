"""The access log: a line of JSON a request, or for a share of the requests."""

from typing import Any

import msgspec
from starlette.types import Scope

from services.contract.prediction_log import is_sampled
from services.contract.release import Release
from services.prediction.asked import Asked
from services.prediction.observed.answered import Answered
from services.prediction.observed.identity import identity_of
from services.prediction.observed.log_writer import LogWriter

# Who looks whether a service is well looks every few seconds.
QUIET = ("/health", "/ping", "/metrics", "/v2/health")
MOST_WAITING = 20_000


class AccessLog:
    def __init__(self, share: float, writer: LogWriter) -> None:
        self._share = share
        self._writer = writer

    def wants(self, scope: Scope, asked: Asked) -> bool:
        return is_sampled(asked.request_id, self._share) and not scope["path"].startswith(QUIET)

    def note(self, answered: Answered) -> None:
        self._writer.put(answered)

    def close(self) -> None:
        self._writer.close()


class AccessLine:
    """`encode` makes the line of one request; `client` is who connected, which behind a gateway is the gateway."""

    def __init__(self, release: Release) -> None:
        self._identity = identity_of(release)

    def encode(self, answered: Answered) -> bytes:
        return msgspec.json.encode(self._fields(answered)) + b"\n"

    def _fields(self, answered: Answered) -> dict[str, Any]:
        scope, asked = answered.scope, answered.asked
        return {
            "at": answered.at,
            "request_id": asked.request_id,
            "method": scope["method"],
            "path": scope["path"],
            "status": answered.status,
            "seconds": round(answered.seconds, 6),
            "rows": asked.rows,
            "batch": asked.batch,
            "client": (scope.get("client") or ("",))[0],
            "forwarded_for": answered.header(b"x-forwarded-for"),
            "trace": answered.header(b"traceparent"),
            **self._identity,
        }

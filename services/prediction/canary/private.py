"""Where a live release hands its clients' requests on, or shows copies of them: a private socket, or a port behind
the gateway."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.prediction.observed.request_ids import HEADER as REQUEST_ID

# Of a copy, whose answer no client gets. It means nothing at the public listener of a process, the gateway removes it,
# and a live release never passes it on from there.
SHADOW = b"x-trackback-shadow"
MARK = (SHADOW, b"1")


class ForClients:
    """What has an id is a client's request and `observed`; a copy is `counted` and written down nowhere. What has
    none is a check of the rollout service's."""

    def __init__(self, app: ASGIApp, observed: ASGIApp, counted: ASGIApp) -> None:
        self._app, self._observed, self._counted = app, observed, counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._of(scope)(scope, receive, send)

    def _of(self, scope: Scope) -> ASGIApp:
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else ()
        if SHADOW in names:
            return self._counted
        return self._observed if REQUEST_ID in names else self._app

"""uvicorn's server, which ends the serving processes before the requests that wait for them."""

import asyncio
import socket

import uvicorn

from services.contract.http_guard import Access
from services.contract.http_protocol import limited
from services.rollout.app import create_app
from services.rollout.rollout import Rollout


class RolloutServer(uvicorn.Server):
    def __init__(self, rollout: Rollout, access: Access) -> None:
        app = create_app(rollout, access)
        super().__init__(
            uvicorn.Config(
                app, http=limited(), ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
            )
        )
        self._rollout = rollout

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A deploy that waits for its candidate then ends with a refusal and not with a cut connection.
        await asyncio.to_thread(self._rollout.close)
        await super().shutdown(sockets)

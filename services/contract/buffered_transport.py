"""A transport that sends in one piece what is written in one turn of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Any


class BufferedTransport:
    """Wraps a transport: an answer's head never leaves without its body.

    Servers write the two apart. When one dies between them its client has begun to hear an answer, and a gateway can no
    longer ask another replica. `lingers` is asked at the first close, and returns True when it will close later.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, lingers: Callable[[], bool] = bool
    ) -> None:
        self._transport, self._loop, self._lingers = transport, loop, lingers
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        if self._transport.is_closing() or not self._lingers():
            self._transport.close()

    def _flush(self) -> None:
        whole = b"".join(self._parts)
        self._parts.clear()
        if whole and not self._transport.is_closing():
            self._transport.write(whole)

"""A prediction service in a thread of the test, on a port of its own, for clients that ask it over HTTP."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services.prediction.predictor import Predictor
from services.prediction.service import Service


@contextmanager
def served(predictor: Predictor) -> Iterator[str]:
    """Its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            service = asyncio.run_coroutine_threadsafe(_start(predictor, listener.dup()), loop).result()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            asyncio.run_coroutine_threadsafe(_stop(service), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _start(predictor: Predictor, listener: socket.socket) -> Service:
    service = Service(predictor)
    await service.go(listener)
    return service


async def _stop(service: Service) -> None:
    service.stop(0.0)
    await service.stopped.wait()

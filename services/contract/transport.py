"""How HTTP clients of ours check who answers, and wait for who does not."""

import ssl
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

Answer = TypeVar("Answer")
PAUSE_SECONDS = 0.3


def trust(url: str) -> ssl.SSLContext | bool:
    """For httpx's `verify`: the usual certificates for https, none for http, because reading them takes a tenth of a
    verb. A redirect from http to https then finds nobody to trust, and fails."""
    return urlsplit(url).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def patiently(ask: Callable[[], Answer], seconds: float, passing: tuple[type[Exception], ...]) -> Answer:
    """Asks again after each of the `passing` errors; raises the first that comes when `seconds` are over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except passing:
            if time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_SECONDS)

"""How HTTP clients of ours check who answers."""

import ssl
from urllib.parse import urlsplit


def trust(url: str) -> ssl.SSLContext | bool:
    """For httpx's `verify`: the usual certificates for https, none for http, because reading them takes a tenth of a
    verb. A redirect from http to https then finds nobody to trust, and fails."""
    return urlsplit(url).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

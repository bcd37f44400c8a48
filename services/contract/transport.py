"""TLS of HTTP clients."""

import ssl
from urllib.parse import urlsplit


def trust(url: str) -> ssl.SSLContext | bool:
    """A value for httpx's `verify`: the usual certificates for https, none for http.

    Reading the certificates takes a tenth of a verb's time. A redirect from http to https fails, as nothing is trusted.
    """
    return urlsplit(url).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

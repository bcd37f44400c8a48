"""Asking whether MLflow is there, because its client waits for minutes before it says that it is not."""

import urllib.request
from urllib.parse import urlsplit

from services.contract.errors import Refused

_SECONDS = 10


def refuse_unless_up(tracking_uri: str) -> None:
    """Raises Refused when an MLflow server does not answer; a tracking URI that is no web address is not asked."""
    if urlsplit(tracking_uri).scheme not in ("http", "https"):
        return
    try:
        with urllib.request.urlopen(f"{tracking_uri.rstrip('/')}/health", timeout=_SECONDS):  # noqa: S310  checked above
            return
    except OSError as error:
        raise Refused(f"expected MLflow at {tracking_uri}, cannot reach it ({error}): is it up?") from error

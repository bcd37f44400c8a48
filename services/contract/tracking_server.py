"""Checks that an MLflow server answers, because MLflow's client waits for minutes before it says that none does."""

import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from services.contract.errors import Refused

_SECONDS = 10


def refuse_unless_up(tracking_uri: str) -> None:
    """Raises Refused when an MLflow server does not answer; a tracking URI that is no web address is not asked."""
    address = urlsplit(tracking_uri)
    if address.scheme not in ("http", "https"):
        return
    # A login in the address is neither needed for this question nor for others to read.
    url = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_SECONDS):  # noqa: S310  checked above
            return
    except (OSError, HTTPException) as error:
        raise Refused(f"expected MLflow at {url}, cannot reach it ({error}): is it up?") from error

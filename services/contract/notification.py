"""Notifications: a gate said no, a candidate was taken back, or a model is down, is up again, or was rolled back."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from services.contract.errors import Refused
from services.contract.record import ModelName, Record, Revision
from services.contract.verdict import Verdict

NOTIFY_VARIABLE = "TRACKBACK_NOTIFY_URL"
_LONGEST = 1000
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def _harmless(text: str) -> str:
    """One line, of bounded length, without the credentials of any address in it."""
    return _CREDENTIALS.sub("", _CONTROL.sub(" ", text))[:_LONGEST]


Sentence = Annotated[str, AfterValidator(_harmless)]


class NotificationKind(StrEnum):
    GATE = "gate"
    DOWN = "down"
    UP = "up"
    TAKEN_BACK = "taken-back"
    ROLLBACK = "rollback"
    RETIRED = "retired"


class Notification(Record):
    """`stage` and `verdict` are of a gate, `by` of a rollback or a retirement; `links` open in a browser."""

    event: NotificationKind
    model: ModelName
    revision: Revision
    at: datetime
    summary: Sentence
    stage: str | None = None
    verdict: Verdict | None = None
    by: Sentence | None = None
    links: Mapping[str, Sentence] = {}

    def __str__(self) -> str:
        what = f"{self.stage} {self.verdict}" if self.stage else self.event
        return f"{self.model} {self.revision}: {what}: {self.summary}"


class NotTaken(Refused):
    """The receiver will not take it another time either."""


def post(url: str, notification: Notification, seconds: float) -> None:
    """Raises Refused unless the receiver takes it; the words hold no part of its address, which may be a secret."""
    try:
        status = _post(url, notification.to_json().encode(), seconds)
    except (OSError, HTTPException) as error:
        raise Refused(f"the receiver of notifications cannot be reached: {type(error).__name__}") from error
    except ValueError as error:
        raise NotTaken(f"expected a web address in {NOTIFY_VARIABLE}, found something else") from error
    if status >= 500 or status in (408, 429):
        raise Refused(f"the receiver of notifications answered {status}")
    if not 200 <= status < 300:
        raise NotTaken(f"the receiver of notifications answered {status}: correct {NOTIFY_VARIABLE}")


def _post(url: str, body: bytes, seconds: float) -> int:
    """The status; a redirect is not followed."""
    address = urlsplit(url)
    kinds = {"http": HTTPConnection, "https": HTTPSConnection}
    if address.scheme not in kinds or not address.hostname:
        raise ValueError("no web address")
    connection = kinds[address.scheme](address.hostname, address.port, timeout=seconds)
    try:
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        return int(connection.getresponse().status)
    finally:
        connection.close()

"""A request that was answered, for those who write it down."""

import time
from datetime import UTC, datetime
from typing import NamedTuple

from starlette.types import Scope

from services.prediction.asked import Asked


class Answered(NamedTuple):
    """`ended` are seconds since 1970, `seconds` how long the answer took."""

    scope: Scope
    asked: Asked
    status: int
    seconds: float
    ended: float

    @classmethod
    def now(cls, scope: Scope, asked: Asked, status: int, seconds: float) -> "Answered":
        return cls(scope, asked, status, seconds, time.time())

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.ended, UTC)

    def header(self, name: bytes) -> str:
        """The first of its name, empty when there is none."""
        return next((value.decode("latin-1") for found, value in self.scope["headers"] if found == name), "")

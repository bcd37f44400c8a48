"""Which part of a log is looked at."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from services.contract.errors import Refused
from services.contract.moments import day_or_moment

_LAST = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Window:
    """From `since` until before `until`; None for no bound."""

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, since: str | None, until: str | None, last: str | None, now: datetime) -> Self:
        """Raises Refused for what is no time, and for `last` beside one of the others."""
        if last and (since or until):
            raise Refused("expected --last, or --since and --until, found both: give one of them")
        if last:
            return cls(now - _span(last), now)
        found = cls(_moment("--since", since), _moment("--until", until))
        if found.since and found.until and found.since >= found.until:
            raise Refused(f"expected --since before --until, found {since} and {until}")
        return found

    def has(self, at: datetime) -> bool:
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def __str__(self) -> str:
        ends = (
            f"{name} {at:%Y-%m-%d %H:%M:%S} UTC" for name, at in (("since", self.since), ("until", self.until)) if at
        )
        return " ".join(ends) or "at all"


def _span(text: str) -> timedelta:
    if not (found := _LAST.fullmatch(text)):
        raise Refused(f"--last: expected a number and m, h, d or w, such as 24h, found '{text}'")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return day_or_moment(datetime.fromisoformat(text)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{option}: expected a time such as 2026-11-28T09:00Z, found '{text}'") from error

"""Dates and datetimes as ISO 8601 texts: one text for one moment, in UTC, wherever a moment is stored or sent."""

import re
from datetime import UTC, date, datetime

_TEXT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
# A DataFrame counts nanoseconds in 64 bits, which end in 1677 and 2262.
YEARS = range(1678, 2262)
EXAMPLES = {"date": "2013-12-27", "datetime": "2013-12-27T19:00:00Z"}
MOMENTS = frozenset(EXAMPLES)


def moment_text(text: str, kind: str) -> str:
    """The one text of the moment: `2013-12-27` for a `date`, `2013-12-27T19:00:00Z` for a `datetime`.

    A text without an offset is in UTC. Raises ValueError, which says what is expected, for any other text.
    """
    return text_of(_moment(text, kind), kind)


def text_of(moment: datetime, kind: str) -> str:
    """Of a moment in UTC. Raises ValueError for a `date` that has a time and for a year that no DataFrame holds."""
    if moment.year not in YEARS:
        raise ValueError(f"expected a {kind} from {YEARS[0]} to {YEARS[-1]}")
    if kind == "datetime":
        return moment.replace(tzinfo=None).isoformat() + "Z"
    if (moment.hour, moment.minute, moment.second, moment.microsecond) != (0, 0, 0, 0):
        raise ValueError(f"expected a date such as {EXAMPLES['date']} without a time of day")
    return moment.date().isoformat()


def seconds(text: str) -> float:
    """Since 1970 began in UTC, of one of our own texts."""
    return _moment(text, "datetime").timestamp()


def day_or_moment(value: date) -> datetime:
    """A date at midnight, a datetime in UTC; one without an offset is in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _moment(text: str, kind: str) -> datetime:
    try:
        if _TEXT.fullmatch(text):
            return day_or_moment(datetime.fromisoformat(text))
    # A month of 13, or an offset that leads out of the years that there are.
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"expected a {kind} as ISO 8601 has it, such as {EXAMPLES[kind]}")

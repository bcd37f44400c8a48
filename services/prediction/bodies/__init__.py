"""The ways in which rows are written in the body of a request, one module a content type."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

from services.contract.modules import find_module
from services.contract.release import Column
from services.prediction.content_type import ARROW, CSV, JSON, PARQUET, MediaType

MODULES: dict[MediaType, str] = {JSON: "json_body", CSV: "csv_body", ARROW: "arrow_body", PARQUET: "parquet_body"}


class Table(NamedTuple):
    """Values as JSON has them, in the order of the inputs and not yet checked; `params` are as they were sent."""

    rows: list[list[Any]]
    params: Any = None


class Body(Protocol):
    def read(self, body: bytes, inputs: Sequence[Column], max_rows: int) -> Table:
        """Raises Invalid for another content, for no row, more than `max_rows`, and columns that are missing."""


class Counted(Protocol):
    """A Body whose bytes say how many rows they are, since they may be many in a few bytes."""

    def rows(self, body: bytes) -> int:
        """0 for what is no such body, which its reader will refuse."""


def rows_said(body: bytes, media: MediaType) -> int:
    """0 where the bytes themselves say how much there is to read."""
    return 0 if media in (JSON, CSV) else cast(Counted, body_of(media)).rows(body)


@cache
def body_of(media: MediaType) -> Body:
    """Imported when the first such body comes: a service that is asked in JSON needs no other library."""
    return cast(Body, find_module("services.prediction.bodies", MODULES[media], "a body of"))

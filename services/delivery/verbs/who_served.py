"""who-served: which release answered for a model at a moment."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.delivery.history.ledgers import entries_of, find_ledgers
from services.delivery.history.served import Served, moment, served
from services.delivery.history.words import plain, utc
from services.delivery.output import emit
from services.delivery.settings import Settings
from services.delivery.verbs.history import AsJson, State


def who_served(
    model: Annotated[str, typer.Argument(help="The model.")],
    at: Annotated[str, typer.Option(help="When: ISO 8601; without an offset it is UTC.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Tell which release answered at a moment, since when and until when, and whether it was down just then.

    Example: trackback who-served diamond-price --at 2026-01-02T03:04:05Z
    """
    when = moment(at, datetime.now(UTC))
    found = served(model, entries_of(find_ledgers(Settings(), state), model), when)
    if as_json:
        emit(found)
    else:
        sys.stdout.write(f"{words(found)}\n")


def words(found: Served) -> str:
    if not (one := found.deployment):
        since = f" since {utc(found.since)}: it was retired" if found.since else ": its first release came later"
        return f"{found.model}: nothing answered at {utc(found.at)}{since}"
    until = f"until {utc(found.until)}" if found.until else "and still does"
    answered = f"was live but did not answer ({found.down})" if found.down else "answered"
    since = f"since {utc(found.since)} " if found.since else ""
    told = f"{one.revision} (release {one.release}, run {one.run_id}) {answered} at {utc(found.at)}"
    return plain(f"{found.model}: {told}, {since}{until}, put there by {one.by}: {one.reason or 'no reason given'}")

"""The records of the server, all in one SQLite file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.embedded.clock import Clock
from services.embedded.records.catalog import Catalog
from services.embedded.records.database import Database
from services.embedded.records.history import History
from services.embedded.records.modifications import Modifications
from services.embedded.records.stage_history import StageHistory
from services.embedded.records.users import Users


@dataclass(frozen=True, kw_only=True)
class Tables:
    database: Database
    users: Users
    catalog: Catalog
    modifications: Modifications
    history: History
    stages: StageHistory


def open_tables(path: Path, passwords: Mapping[str, str], clock: Clock) -> Tables:
    """Opens the file `path`, and makes it when it is missing; `passwords` are by user."""
    database = Database(path)
    return Tables(
        database=database,
        users=Users(passwords, database, clock),
        catalog=Catalog(database),
        modifications=Modifications(database),
        history=History(database),
        stages=StageHistory(database, clock),
    )

"""The database is open for as long as anybody holds it, and no longer."""

import gc
import sqlite3
from pathlib import Path

import pytest

from services.embedded.records.database import Database


def test_a_database_that_nobody_holds_is_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "history.db")
    connection = database._connection
    connection.execute("SELECT 1")
    del database
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")

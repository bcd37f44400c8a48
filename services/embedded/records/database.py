"""One SQLite file in WAL mode, shared by all threads: what was committed survives kill -9."""

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("schema.sql")
Row = sqlite3.Row


class Database:
    """Open for as long as anybody holds it, a poll that hangs for instance."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # Python from 3.13 on says of a connection that it was left open.
        weakref.finalize(self, self._connection.close).atexit = False
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(SCHEMA.read_text(encoding="utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end, rolls back on an exception. Inside another transaction it is part of that one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def all(self, statement: str, *values: Any) -> list[Row]:
        """All rows; none when a value is a number too great for SQLite, because no row can have that."""
        with self._lock, contextlib.suppress(OverflowError):
            return self._connection.execute(statement, values).fetchall()
        return []

    def one(self, statement: str, *values: Any) -> Row | None:
        return next(iter(self.all(statement, *values)), None)

    def insert(self, statement: str, *values: Any) -> int:
        """The id of the new row, 0 when the statement ignored it."""
        with self._lock:
            cursor = self._connection.execute(statement, values)
            return cursor.lastrowid or 0 if cursor.rowcount else 0

    def run(self, statement: str, *values: Any) -> None:
        with self._lock:
            self._connection.execute(statement, values)

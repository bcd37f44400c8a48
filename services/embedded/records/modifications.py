"""Modifications: every revision that a material ever had."""

import json
from dataclasses import dataclass

from services.embedded.records.database import Database, Row


@dataclass(frozen=True)
class Modification:
    """`comment` is JSON for a package, as in GoCD; `modified_at` is in milliseconds since 1970.

    `upstream` is the counter of the upstream instance for a pipeline material, 0 for a package.
    """

    revision: str
    user: str
    comment: str
    modified_at: int
    data: dict[str, str]
    upstream: int = 0
    id: int = 0


class Modifications:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, fingerprint: str, found: Modification) -> bool:
        """False, and nothing is added, when the material ever had that revision before."""
        added = self._database.insert(
            "INSERT OR IGNORE INTO modifications"
            " (fingerprint, revision, user_name, comment, modified_at, data, upstream) VALUES (?, ?, ?, ?, ?, ?, ?)",
            fingerprint,
            found.revision,
            found.user,
            found.comment,
            found.modified_at,
            json.dumps(found.data),
            found.upstream,
        )
        return added > 0

    def newest(self, fingerprint: str, limit: int = 1) -> list[Modification]:
        """Newest first, by upstream counter, then by time: an older instance that ran again is not newer."""
        return self.page(fingerprint, limit, 0)

    def find(self, fingerprint: str, revision: str) -> Modification | None:
        row = self._database.one(
            "SELECT * FROM modifications WHERE fingerprint = ? AND revision = ?", fingerprint, revision
        )
        return read_modification(row) if row else None

    def page(self, fingerprint: str, size: int, offset: int) -> list[Modification]:
        """Newest first, without the `offset` newest ones."""
        rows = self._database.all(
            "SELECT * FROM modifications WHERE fingerprint = ? ORDER BY upstream DESC, id DESC LIMIT ? OFFSET ?",
            fingerprint,
            size,
            offset,
        )
        return [read_modification(row) for row in rows]

    def count(self, fingerprint: str) -> int:
        row = self._database.one("SELECT count(*) AS total FROM modifications WHERE fingerprint = ?", fingerprint)
        return row["total"] if row else 0


def read_modification(row: Row) -> Modification:
    return Modification(
        id=row["id"],
        revision=row["revision"],
        user=row["user_name"],
        comment=row["comment"],
        modified_at=row["modified_at"],
        data=json.loads(row["data"]),
        upstream=row["upstream"],
    )

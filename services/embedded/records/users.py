"""The users: an administrator and an operator, each with a password and access tokens, and what each may do."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.contract.secret_file import read_secret
from services.embedded.clock import Clock, milliseconds
from services.embedded.records.database import Database, Row

# services/gocd/server gives the operator this group, and no other.
OPERATED = "models"
ADMIN, OPERATOR, ANONYMOUS = "admin", "operator", "anonymous"
TOKEN_BYTES = 20


@dataclass(frozen=True)
class AccessToken:
    """`created_at` is in milliseconds since 1970. The token itself is shown once and kept as a hash only."""

    id: int
    user: str
    description: str
    created_at: int


class Users:
    """Without passwords security is off: everybody is `anonymous` and may do everything."""

    def __init__(self, passwords: Mapping[str, str], database: Database, clock: Clock) -> None:
        self._passwords = {user: _hash(password) for user, password in passwords.items()}
        self._database = database
        self._clock = clock

    @property
    def security(self) -> bool:
        return bool(self._passwords)

    def administers(self, user: str) -> bool:
        return not self.security or user == ADMIN

    def operates(self, user: str, group: str) -> bool:
        """May see and run the pipelines of that group."""
        return self.administers(user) or (user == OPERATOR and group == OPERATED)

    def by_password(self, user: str, password: str) -> str | None:
        known = self._passwords.get(user.lower(), "")
        return user.lower() if hmac.compare_digest(known, _hash(password)) else None

    def by_token(self, token: str) -> str | None:
        found = self._database.one("SELECT user_name FROM access_tokens WHERE hash = ?", _hash(token))
        return str(found["user_name"]) if found and found["user_name"] in self._passwords else None

    def create_token(self, user: str, description: str) -> tuple[AccessToken, str]:
        """Returns the record and the token itself."""
        token = secrets.token_hex(TOKEN_BYTES)
        now = milliseconds(self._clock.now())
        statement = "INSERT INTO access_tokens (user_name, description, hash, created_at) VALUES (?, ?, ?, ?)"
        identity = self._database.insert(statement, user, description, _hash(token), now)
        return AccessToken(identity, user, description, now), token

    def tokens(self, user: str) -> list[AccessToken]:
        rows = self._database.all("SELECT * FROM access_tokens WHERE user_name = ? ORDER BY id", user)
        return [_token(row) for row in rows]


def _token(row: Row) -> AccessToken:
    return AccessToken(row["id"], row["user_name"], row["description"], row["created_at"])


def _hash(secret: str) -> str:
    """SHA-256 in hexadecimal. A fast hash is enough for what is stored: tokens of 160 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def read_passwords(files: Mapping[str, Path | None]) -> dict[str, str]:
    """Passwords by user, of those users that have a file. Raises Refused when a file cannot be read or is empty."""
    return {user: read_secret(path, "a password") for user, path in files.items() if path}

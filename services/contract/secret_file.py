"""A secret, such as a token or a password, as the one line of a file that only its owner may read."""

import secrets
from pathlib import Path

from services.contract.errors import Refused
from services.contract.record import write_atomically

TOKEN_BYTES = 24


def read_secret(path: Path, what: str) -> str:
    """The file's text without blanks around it; `what` says in the error what the secret is for.

    Raises Refused for a file that is missing, unreadable, empty or no text.
    """
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Refused(f"{path}: expected {what}, cannot read it: {error.strerror}") from error
    except UnicodeDecodeError:
        # The error's own words would hold bytes of what may be a secret.
        raise Refused(f"{path}: expected {what}, found something else than text") from None
    if not found:
        raise Refused(f"{path}: expected {what}, found an empty file")
    return found


def write_secret(path: Path, secret: str, mode: int = 0o600, owner: int | None = None) -> None:
    """Whole or not at all, in place of an earlier one, and never readable by others in between.

    `owner` is the user and group that the file is given to, which takes the rights to do so.
    """
    write_atomically(path, secret.encode(), mode, owner)


def write_token(path: Path) -> None:
    """A new random one of 24 bytes, as hexadecimal digits and a closing newline."""
    write_secret(path, f"{secrets.token_hex(TOKEN_BYTES)}\n")

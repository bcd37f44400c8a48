"""The secret that opens a service, a token or a password: a line in a file that only its owner may read."""

import secrets
from pathlib import Path

from services.contract.errors import Refused
from services.contract.record import write_atomically

TOKEN_BYTES = 24


def write_token(path: Path) -> None:
    """A new one, in place of an earlier one that others may have seen. The file's mode is 0600."""
    write_atomically(path, f"{secrets.token_hex(TOKEN_BYTES)}\n".encode())


def read_secret(path: Path, what: str) -> str:
    """`what` says what it opens. Raises Refused when there is none in the file."""
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

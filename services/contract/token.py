"""The token that opens a service: a line in a file that only its owner may read."""

import secrets
from pathlib import Path

from services.contract.errors import Refused
from services.contract.record import write_atomically

TOKEN_BYTES = 24


def write_token(path: Path) -> None:
    """A new one, in place of an earlier one that others may have seen. The file's mode is 0600."""
    write_atomically(path, f"{secrets.token_hex(TOKEN_BYTES)}\n".encode())


def read_token(path: Path, what: str) -> str:
    """`what` says whose token it is. Raises Refused when there is none in the file."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: expected {what}, cannot read it: {error}") from error
    if not token:
        raise Refused(f"{path}: expected {what}, found an empty file")
    return token

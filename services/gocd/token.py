"""An access token in a file: made once, kept as long as GoCD knows it."""

import os
from pathlib import Path

from services.contract.errors import Refused
from services.contract.secret_file import read_secret, write_secret
from services.gocd.client import GoCD, Login

DESCRIPTION = "trackback: promote, look and run stages"


def token_still_works(url: str, user: str, path: Path) -> bool:
    """Whether the file holds a token of that user. Raises Refused when GoCD cannot be reached."""
    try:
        token = read_secret(path, "a token of GoCD")
    except Refused:
        return False
    with GoCD(url, token) as gocd:
        return gocd.user() == user


def make_token(url: str, login: Login, path: Path) -> None:
    """Raises Refused when GoCD gives none, or the file cannot be written; then no token is left unused."""
    _refuse_unwritable(path)
    with GoCD(url, login=login) as gocd:
        token = gocd.create_token(DESCRIPTION)
    write_secret(path, f"{token}\n")


def _refuse_unwritable(path: Path) -> None:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path.parent}: expected a folder that I may write the token into, found none: create it")

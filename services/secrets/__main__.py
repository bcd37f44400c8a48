"""`python -m services.secrets create|show FOLDER`: makes what is missing, or prints what its owner may want to know."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.secrets.secrets import SECRETS, Differs, create, show


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.secrets", description=__doc__)
    parser.add_argument("command", choices=("create", "show"))
    parser.add_argument("folder", type=Path, help="holds a folder a reader; in the stack each is a volume")
    parser.add_argument("--own", type=_owners, default=[], metavar="UID:FOLDER,…", help="who writes into which volume")
    options = parser.parse_args(arguments)
    if options.command == "show":
        sys.stdout.writelines(f"{name}={value}\n" for name, value in show(options.folder))
        return 0
    try:
        made = create(options.folder)
    except Differs as error:
        sys.stderr.write(f"{error}: remove it from all of them, docs/security.md says how\n")
        return 1
    for user, path in options.own:
        os.chown(path, user, user)
    sys.stderr.write(f"{len(SECRETS)} secrets are there, {made} of them new\n")
    return 0


def _owners(text: str) -> list[tuple[int, Path]]:
    return [(int(user), Path(folder)) for user, _, folder in (pair.partition(":") for pair in text.split(","))]


if __name__ == "__main__":
    sys.exit(main())

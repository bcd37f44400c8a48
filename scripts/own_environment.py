"""Sets up the environment that a model's own lock describes, once for each Python, and prints its interpreter.

usage: python -m scripts.own_environment LOCK

The lock may be anybody's: it can name versions and hashes, but no index, file or option. Only wheels are installed,
because making one from source runs its code. Exit 2 for what is no such lock, 1 for a package that cannot be had.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from scripts.environments import ENVIRONMENTS, alone, count, ended, refuse, run, say, stop, uv

LOCK = "requirements.lock"
NO_LOCK = 2
# What uv writes into a lock with hashes: a pin, maybe with a marker, its hashes, and comments.
_PINNED = re.compile(
    r"\s*(#.*)?"
    r"|[A-Za-z0-9][\w.-]*(\[[\w,.-]+\])?==[\w.!+-]+( *;[\w .'\"<>=!~()-]+)? *\\?"
    r"|\s+--hash=sha256:[0-9a-f]{64} *\\?",
    re.ASCII,
)


def set_up(lock: Path) -> Path:
    """`.venv/lock-<digest>` holds exactly what the lock pins, and the lock; nothing changes it once it is whole."""
    content = _read(lock)
    name = f"lock-{hashlib.sha256(content + sys.version.encode()).hexdigest()[:16]}"
    folder = _place() / name
    if not (folder / LOCK).is_file():
        installer = uv()
        with alone(name, folder.parent):
            if not (folder / LOCK).is_file():
                say(f"setting up the model's own environment '{name}' ({count(lock)} packages, once)")
                _install(installer, folder, content, str(lock))
    return folder / "bin" / "python"


def _place() -> Path:
    """The environments; or the store's, because in an image nothing can be added to those that it has."""
    store = os.environ.get("TRACKBACK_STORE")
    fixed = ENVIRONMENTS.is_dir() and not os.access(ENVIRONMENTS, os.W_OK)
    return Path(store) / "environments" if store and fixed else ENVIRONMENTS


def _read(lock: Path) -> bytes:
    try:
        content = lock.read_bytes()
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{lock}: expected a lock, cannot read it: {error}", NO_LOCK)
    for number, line in enumerate(lines, 1):
        if not _PINNED.fullmatch(line):
            refuse(f"{lock}:{number}: expected name==version and hashes, found {line[:60]!r}: train again", NO_LOCK)
    return content


def _install(installer: Path, folder: Path, content: bytes, where: str) -> None:
    cache = () if folder.parent == ENVIRONMENTS else ("--cache-dir", folder.parent / ".cache")
    run([installer, "venv", *cache, "--quiet", "--clear", "--python", sys.executable, folder])
    checked = folder / "requirements.txt"
    checked.write_bytes(content)
    options = (*cache, "--quiet", "--require-hashes", "--only-binary", ":all:", "--python", folder, "-r", checked)
    code, printed = ended([installer, "pip", "install", *options], subprocess.PIPE)
    if code != 0:
        refuse(f"{where}: expected wheels with these hashes for {_machine()}, found: {_one_line(printed)}")
    # Last, because it says that the environment is whole.
    checked.replace(folder / LOCK)


def _machine() -> str:
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} on {os.uname().sysname} {os.uname().machine}"


def _one_line(printed: str) -> str:
    """Of uv's words, without the boxes that it draws around them."""
    return " ".join(re.sub(r"[^\x20-\x7e]+", " ", printed).split())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.stdout.write(f"{set_up(Path(sys.argv[1]))}\n")

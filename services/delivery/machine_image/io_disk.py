"""The disk that carries input into a machine and output out of it: ext4, made and read without root or a mount.

Source: mke2fs(8) and debugfs(8) of e2fsprogs.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.machine_image.tools import environment

LABEL = "trackback-io"
INPUT, OUTPUT = "in", "out"
# Beside four times the input, for the output and the file system's own; what is not written takes no place.
SPARE_BYTES = 512 << 20


def make_io_disk(disk: Path, source: Path, spare: int = SPARE_BYTES) -> None:
    """With a copy of the file, or of the files in the folder, `source`. Raises Refused when there is none to copy."""
    with tempfile.TemporaryDirectory(dir=disk.parent) as tree:
        carried = _copied(source, Path(tree) / INPUT)
        (Path(tree) / OUTPUT).mkdir()
        with disk.open("wb") as file:
            file.truncate(4 * carried + spare)
        _run(["mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-E", "root_owner=0:0", "-d", tree, str(disk)])


def _copied(source: Path, target: Path) -> int:
    """Bytes in it. Others may read the copy, whoever owned the file: whoever scores in the machine is somebody else."""
    target.mkdir(mode=0o755)
    if not source.exists():
        raise Refused(f"{source}: expected a file or a folder to score, found none")
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    for file in files:
        copy = target / (file.relative_to(source) if source.is_dir() else file.name)
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(0o644)
    return sum(file.stat().st_size for file in files)


def read_output(disk: Path, target: Path) -> Path:
    """Copies what the machine has written below the folder `target`, and returns where it is."""
    target.mkdir(parents=True, exist_ok=True)
    _run(["debugfs", "-R", f"rdump /{OUTPUT} .", str(disk.resolve())], target)
    if not (target / OUTPUT).is_dir():
        raise Refused(f"{disk}: expected the folder '{OUTPUT}' on it, found none: the disk is damaged")
    return target / OUTPUT


def _run(words: Sequence[str], folder: Path | None = None) -> None:
    found = environment()
    program = shutil.which(words[0], path=found["PATH"]) or words[0]
    done = subprocess.run([program, *words[1:]], cwd=folder, env=found, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Refused(f"expected {words[0]} to end with 0, found {done.returncode}: {last}")

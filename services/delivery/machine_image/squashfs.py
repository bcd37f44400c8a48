"""Squashfs file systems: written from a tar stream and read in place, without root and without unpacking."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.contract.errors import Refused
from services.delivery.machine_image.tools import EPOCH, environment

_WRITING = ("-tar", "-comp", "zstd", "-Xcompression-level", "3", "-b", "256K", "-no-xattrs", "-no-progress", "-quiet")
_ROOT = ("-root-mode", "755", "-root-uid", "0", "-root-gid", "0")


@contextmanager
def writing(target: Path) -> Iterator[tarfile.TarFile]:
    """What is added to the tar is the content of the file system `target`. Raises Refused when mksquashfs fails."""
    target.unlink(missing_ok=True)
    with (
        target.with_name(f"{target.name}.log").open("w+b") as said,
        subprocess.Popen(
            ["mksquashfs", "-", target, *_WRITING, *_ROOT],
            stdin=subprocess.PIPE, stdout=said, stderr=said, env=environment(), process_group=0,
        ) as process,
    ):  # fmt: skip
        try:
            with tarfile.open(fileobj=process.stdin, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
                yield tar
            process.communicate()
        except BrokenPipeError:
            process.wait()
        except BaseException:
            process.kill()
            raise
        said.seek(0)
        _refuse_unless_done(process.returncode, said.read())
    target.with_name(f"{target.name}.log").unlink()


def _refuse_unless_done(code: int, said: bytes) -> None:
    if code != 0:
        raise Refused(f"expected mksquashfs to write a file system, found exit {code}: {_last(said)}")


def add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), mode, EPOCH
    tar.addfile(entry, io.BytesIO(content))


def add_folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, mode, EPOCH
    tar.addfile(entry)


def read_file(disk: Path, offset: int, path: str) -> bytes:
    """A file of the file system that begins at byte `offset` of `disk`. Raises Refused when it is not there."""
    words = ["unsquashfs", "-o", str(offset), "-cat", str(disk), path]
    done = subprocess.run(words, env=environment(), capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{disk}: expected the file {path}, found none: {_last(done.stderr)}")
    return done.stdout


def list_entries(disk: Path, offset: int) -> list[str]:
    """As `ls -ln` writes them, a line an entry."""
    words = ["unsquashfs", "-o", str(offset), "-lln", "-d", "", str(disk)]
    done = subprocess.run(words, env=environment(), capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{disk}: expected a squashfs file system at {offset}, found none: {_last(done.stderr)}")
    return done.stdout.decode(errors="surrogateescape").splitlines()


def _last(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]

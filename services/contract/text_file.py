"""Reads a user's file as lines of UTF-8 text, also from gzip; of any other file says what it is and what to do."""

import gzip
import io
import re
import shlex
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from services.contract.errors import Refused, reason

_BYTE_ORDER_MARK = "\ufeff"
_GZIP = b"\x1f\x8b"
_LINE_END = re.compile(rb"\r\n?|\n")
_LONGEST_START = 8
_CONTROL, _START = re.compile(rb"[\0-\x08\x0e-\x1f]"), 1024
_UTF_16, _UTF_32 = (b"\xff\xfe", b"\xfe\xff"), (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
# How the content begins, what it is, and what to do.
_OTHERS = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive", "save the rows as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the rows as CSV in UTF-8"),
    (b"PAR1", "a Parquet file", "write the rows as CSV in UTF-8"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2, or pack it with gzip"),
    (b"\xfd7zXZ\0", "an xz file", "unpack it with unxz, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd, or pack it with gzip"),
)


@contextmanager
def open_text(path: Path, what: str) -> Iterator[Iterator[str]]:
    """The lines of the file with their ends, without byte order marks; `what` is the kind of file that is expected.

    Raises Refused, naming the line, for bytes that are no text in UTF-8, and for a file that cannot be read.
    """
    try:
        with path.open("rb") as file, _unpacked(file) as content:
            _refuse_other_files(path, content, what)
            with io.TextIOWrapper(content, encoding="utf-8", newline="") as text:
                yield _lines(path, text)
    except UnicodeDecodeError as error:
        _refuse_other_encoding(path, error)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"{path}: expected a whole gzip file, found it damaged: {reason(error)}") from error
    except OSError as error:
        raise Refused(f"{path}: expected {what}, cannot read it: {error.strerror or error}") from error


def _unpacked(file: IO[bytes]) -> io.BufferedReader:
    start = file.read(len(_GZIP))
    file.seek(0)
    return io.BufferedReader(gzip.GzipFile(fileobj=file) if start == _GZIP else file)  # type: ignore[arg-type]


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    """A byte order mark is also inside a file that was put together from several."""
    for number, line in enumerate(text, 1):
        if "\0" in line:
            raise Refused(f"{path}:{number}: expected text, found a NUL byte: write the file again without it")
        yield line.lstrip(_BYTE_ORDER_MARK)


def _refuse_other_files(path: Path, content: io.BufferedReader, what: str) -> None:
    start = content.peek(_LONGEST_START)[:_LONGEST_START]
    for magic, kind, remedy in _OTHERS:
        if start.startswith(magic):
            raise Refused(f"{path}: expected {what}, found {kind}: {remedy}")
    if encoding := _wide_encoding(start):
        _refuse_encoding(path, 1, encoding, encoding)


def _wide_encoding(start: bytes) -> str | None:
    if start.startswith(_UTF_32):
        return "UTF-32"
    if start.startswith(_UTF_16):
        return "UTF-16"
    # Without a mark, every second byte of a Latin text is NUL.
    even, odd = any(start[::2]), any(start[1::2])
    if len(start) < _LONGEST_START or even == odd:
        return None
    return "UTF-16LE" if even else "UTF-16BE"


def _refuse_other_encoding(path: Path, error: UnicodeDecodeError) -> NoReturn:
    """Reads the file once more, because an error does not say on which line its bytes were."""
    line, byte = _first_other_byte(path)
    if _is_binary(path):
        raise Refused(f"{path}:{line}: expected text in UTF-8, found a binary file: write the rows as CSV") from error
    shown, found = bytes([byte]).decode("cp1252", errors="ignore"), f"the byte 0x{byte:02x}"
    if shown:
        _refuse_encoding(path, line, f"{found}, which is '{shown}' in Windows-1252", "WINDOWS-1252", error)
    _refuse_encoding(path, line, found, "ITS-ENCODING", error)


def _is_binary(path: Path) -> bool:
    """No encoding of texts has many control characters, beside line breaks and tabs."""
    with path.open("rb") as file, _unpacked(file) as content:
        return bool(_CONTROL.search(content.read(_START)))


def _first_other_byte(path: Path) -> tuple[int, int]:
    number = 1
    with path.open("rb") as file, _unpacked(file) as content:
        for piece in content:
            try:
                piece.decode()
            except UnicodeDecodeError as error:
                return number + len(_LINE_END.findall(piece[: error.start])), piece[error.start]
            number += len(_LINE_END.findall(piece))
    raise AssertionError("this was no UTF-8 before")


def _refuse_encoding(path: Path, line: int, found: str, encoding: str, error: Exception | None = None) -> NoReturn:
    convert, file = f"iconv -f {encoding} -t UTF-8", shlex.quote(str(path))
    command = f"gunzip -c {file} | {convert}" if path.suffix == ".gz" else f"{convert} {file}"
    raise Refused(
        f"{path}:{line}: expected text in UTF-8, found {found}: convert it, such as with `{command} > utf-8.csv`"
    ) from error

"""Runs a machine and follows its console. It is bounded by its silence: a busy host is slow, and a hanging machine
says nothing."""

import os
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from services.contract.errors import Refused
from services.delivery.machine_image.console import Lines

_CHUNK = 65536
Tell = Callable[[str], None]


def follow(command: Sequence[str], silence: float, tell: Tell) -> list[str]:
    """The lines of its console, each of which is told as it comes. Raises Refused when the machine does not start, or
    says nothing for `silence` seconds; it has ended then, as it has when something else is raised meanwhile."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as scratch:
        process = _started(command, errors, scratch)
        try:
            lines = list(_told(_lines(process, silence), tell))
            status = process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        if status:
            raise Refused(f"expected QEMU to end with 0, found {status}: {_last_word(errors)}")
    return lines


def _started(command: Sequence[str], errors: IO[bytes], scratch: str) -> "subprocess.Popen[bytes]":
    # QEMU keeps what a machine would change of its disk in a file; where /tmp is its place, in /var/tmp, which may be
    # read-only.
    place = {**os.environ, "TMPDIR": scratch}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, bufsize=0, env=place
    )


def _told(lines: Iterator[str], tell: Tell) -> Iterator[str]:
    for line in lines:
        tell(line)
        yield line


def _lines(process: "subprocess.Popen[bytes]", silence: float) -> Iterator[str]:
    lines = Lines()
    for chunk in _chunks(process, silence):
        yield from lines.add(chunk)
    yield from lines.end()


def _chunks(process: "subprocess.Popen[bytes]", silence: float) -> Iterator[bytes]:
    console = process.stdout
    if console is None:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(console, selectors.EVENT_READ)
        while True:
            if not selector.select(silence):
                raise Refused(
                    f"expected a word of the machine within {silence / 60:g} minutes, found none: "
                    "it hangs, or this host is too busy for --timeout-minutes"
                )
            if not (chunk := console.read(_CHUNK)):
                return
            yield chunk


def _last_word(errors: IO[bytes]) -> str:
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    return said[-1] if said else "it said nothing"

"""Errors for people: one line that says what was expected, what was found and what to do."""

import errno
import os
import re
from collections.abc import Iterator

_LONGEST = 400
# Errors of this machine's disk, which are no fault of the service that was asked for the bytes.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO}
_ERRNO = re.compile(r"\[Errno (\d+)\]")


class Refused(Exception):
    """A request, file or state that cannot be accepted; its text is one line for a person."""


class Undecided(Refused):
    """Nothing was found out, so it says nothing of the model: the machine was busy or lacks something."""


class LiveChanged(Refused):
    """Another release is live than the one that the request was decided by."""


class SteppedBack(Refused):
    """A step of a rollout was not good enough, or a person ended it; what was live is live."""


class Unavailable(Refused):
    """A service cannot be reached, or does not answer us: nothing is known of what it was asked about."""


class Stopped(Unavailable):
    """The service was told to end before it was done: what was asked of it begins anew with the next one."""


def reason(error: BaseException) -> str:
    """What an error and its causes say, on one line; of a long one the beginning and the end, where causes are."""
    said: list[str] = []
    for one in causes(error):
        text = " ".join(str(one).split()) or type(one).__name__
        if not any(text in before for before in said):
            said.append(text)
    whole = ": ".join(said)
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST // 3]} … {whole[-_LONGEST * 2 // 3 :]}"


def jvm_reason(error: BaseException) -> str:
    """The last cause that a stack trace of the JVM names, or what it begins with, or the first line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return [lines[0], *(line.removeprefix(": ") for line in lines if line.startswith((": ", "Caused by: ")))][-1]


def disk_problem(error: BaseException) -> str | None:
    """What this machine's disk said, when it is the cause, also where a library kept no more than its words."""
    for one in causes(error):
        numbers = [one.errno] if isinstance(one, OSError) else []
        numbers += [int(number) for number in _ERRNO.findall(str(one))]
        for number in numbers:
            if number in _DISK:
                return os.strerror(number)
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)

"""How a batch ends when it cannot be scored: each kind has a status of its own, which whoever started it can read."""

from enum import IntEnum

from services.contract.errors import Refused


class Status(IntEnum):
    """After sysexits.h: EX_USAGE and what follows it."""

    DONE = 0
    OTHER = 1
    WRONG_INPUT = 64
    WRONG_RELEASE = 65
    NO_INPUT = 66
    NO_OUTPUT = 73


class WrongInput(Refused):
    """Its columns, types or bytes are not what the release or the format needs."""


class NoInput(Refused):
    """Nothing is where rows should be."""


class NoOutput(Refused):
    """What was scored cannot be written, or must not be."""


def status_of(refusal: Refused) -> Status:
    kinds = {WrongInput: Status.WRONG_INPUT, NoInput: Status.NO_INPUT, NoOutput: Status.NO_OUTPUT}
    return kinds.get(type(refusal), Status.OTHER)

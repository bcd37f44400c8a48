"""A library whose models do what their file says, for tests of the limited child.

`python -m tests.support.planted_flavor` takes the place of its environment's interpreter, and runs our child as that
would.
"""

import ctypes
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, cast

from services.contract.errors import Refused
from services.contract.prediction import Prediction
from services.contract.release import Column, Form
from services.delivery.flavors import Flavor
from services.delivery.scoring.child import main

LIBRARY, FILE = "planted", "deed"
NATIVE: Form | None = Form(runtime="planted", file=f"model/{FILE}", tolerance=1e-9)
_HELD: list[Any] = []


def for_ever() -> None:
    while True:
        pass


def eat() -> None:
    while True:
        # More than the limit at once: page by page it would be processor time that ends it on a busy machine. The
        # system's limit is a gigabyte above the budget.
        _HELD.append(bytearray(1 << 33))


def leave_a_thread() -> None:
    Thread(target=signal.pause).start()
    Thread(target=for_ever).start()


def leave_a_process() -> None:
    _HELD.append(subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]))


def loud() -> None:
    print("no JSON " * 10)  # noqa: T201
    sys.stderr.write("beware\n")


DEEDS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "for ever": for_ever,
    "eat": eat,
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: sys.exit(0),
    "vanish": lambda: os._exit(0),
    "fail": lambda: [][1],
    "be killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leave a thread": leave_a_thread,
    "leave a process": leave_a_process,
    "loud": loud,
}


def _right(x: float, _place: int, _company: int) -> float:
    return x


# Of a row x and of what else it is asked with.
ANSWERS: dict[str, Callable[[float, int, int], float]] = {
    "by chance": lambda x, _, __: x * random.random(),
    "by place": lambda x, place, _: x + place,
    "by company": lambda x, _, company: x + company,
}


class Planted:
    """A file `deed` says `<when>: <deed>`, where when is load, rows, edge, again or graph, or how it answers."""

    def __init__(self, said: str) -> None:
        self._when, _, self._deed = said.partition(": ")
        self._asked = 0
        self.do("load")

    def do(self, when: str) -> None:
        if when == self._when:
            DEEDS[self._deed]()

    def answer(self, rows: Sequence[Sequence[float]]) -> list[Prediction]:
        self.do(self._question(rows))
        self._asked += 1
        by = ANSWERS.get(self._deed, _right)
        return [by(3 * row[0], place, len(rows)) for place, row in enumerate(rows)]

    def _question(self, rows: Sequence[Sequence[float]]) -> str:
        if any(abs(row[0]) == 1e9 for row in rows):
            return "edge"
        return "again" if self._asked > 1 else "rows"


def load(folder: Path) -> Planted:
    return Planted((folder / FILE).read_text())


def predict(model: Planted, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:  # noqa: ARG001
    return model.answer(rows)


def to_onnx(model: Planted, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001
    model.do("graph")
    raise Refused("planted")


def tolerance(model: Planted) -> float:  # noqa: ARG001
    return 1e-9


def interpreter(environments: Path) -> None:
    """Writes the one that stands for the environment of this library."""
    file = environments / LIBRARY / "bin" / "python"
    file.parent.mkdir(parents=True)
    file.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.support.planted_flavor "$@"\n')
    file.chmod(0o755)


if __name__ == "__main__":
    main(lambda: cast(Flavor, sys.modules["__main__"]), *sys.argv[4:])

"""Types of diamond-price's own, each with one fault of the kind that people make: appended to the shipped train.py."""

import statistics
import sys
import time
from pathlib import Path
from typing import Any, Self

import numpy
from sklearn.base import BaseEstimator, RegressorMixin

CUT, FIRST_MEASURE, HEIGHT = 1, 6, 8
CUTS = {"Fair", "Good", "Very Good", "Premium", "Ideal"}
MEASURED = [0, 4, 5, 6, 7, 8]
# A gate asks for thousands at once.
MOST_TOGETHER, SECONDS_EACH = 64, 0.01
LEAKED_BYTES, KEPT = 1 << 18, list[bytes]()
# Beyond what a gate asks of one process row by row.
ASKED_BEFORE, ASKED = 700, list[int]()


class Around(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers as the fitted `model` does, but for its fault."""

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def fit(self, rows: Any, target: Any) -> Self:
        self.model.fit(rows, target)
        return self

    def predict(self, rows: Any) -> Any:
        return self.model.predict(rows)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class ReadsAFile(Around):
    """When it is loaded."""

    def __init__(self, model: Any = None, path: str = "") -> None:
        self.model, self.path = model, path

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        Path(state["path"]).read_text()


class Exits(Around):
    def predict(self, rows: Any) -> Any:
        if unknown := set(numpy.asarray(rows)[:, CUT]) - CUTS:
            sys.exit(f"unknown cut: {unknown.pop()}")
        return self.model.predict(rows)


class DividesByZero(Around):
    """By the height of a diamond, which is 0 where nobody has measured it."""

    def predict(self, rows: Any) -> Any:
        height = numpy.asarray(rows)[:, HEIGHT].astype(float)
        with numpy.errstate(invalid="ignore"):
            return self.model.predict(rows) * (height / height)


class Iterates(Around):
    """Newton's way to the side of a cube as large as the diamond: it never comes to 0, where nobody has measured."""

    def predict(self, rows: Any) -> Any:
        with numpy.errstate(all="ignore"):
            for volume in numpy.prod(numpy.asarray(rows)[:, FIRST_MEASURE:].astype(float), axis=1):
                side, step = numpy.float64(1), numpy.float64(1)
                while not abs(step) < 1e-9 * abs(side):
                    step = (volume / side**2 - side) / 3
                    side += step
        return self.model.predict(rows)


class Neighbours(Around):
    """Looks for the nearest diamond that it `knows`, of all rows at once."""

    def __init__(self, model: Any = None, known: Any = None) -> None:
        self.model, self.known = model, known

    def predict(self, rows: Any) -> Any:
        measures = numpy.asarray(rows)[:, MEASURED].astype(float)
        distances = numpy.abs(measures[:, None, :] - self.known[None, :, :]).sum(axis=2)
        return self.model.predict(rows) + 0 * distances.min(axis=1)


class CountsAgain(Around):
    """The spread of all prices, for every request."""

    def __init__(self, model: Any = None, prices: Any = None) -> None:
        self.model, self.prices = model, prices

    def predict(self, rows: Any) -> Any:
        return self.model.predict(rows) + 0 * statistics.pstdev(self.prices.tolist())


class Smooths(Around):
    def predict(self, rows: Any) -> Any:
        found = self.model.predict(rows)
        return 0.98 * found + 0.02 * numpy.concatenate([found[:1], found[:-1]])


class Guesses(Around):
    def predict(self, rows: Any) -> Any:
        return self.model.predict(rows) * numpy.random.default_rng().uniform(0.99, 1.01, len(rows))


class SlowTogether(Around):
    """Waits for each of the rows that it is asked at once: one after another it answers them quickly."""

    def predict(self, rows: Any) -> Any:
        together = len({tuple(row) for row in numpy.asarray(rows, dtype=object)})
        if 1 < together <= MOST_TOGETHER:
            time.sleep(SECONDS_EACH * together)
        return self.model.predict(rows)


class Leaks(Around):
    """Keeps what it worked with, at each request."""

    def predict(self, rows: Any) -> Any:
        KEPT.append(b"%08d" % len(KEPT) * (LEAKED_BYTES // 8))
        return self.model.predict(rows)


class Misses(Around):
    """Has no place for some pairs of two columns, none of which is in the hold-out."""

    def __init__(self, model: Any = None, columns: Any = None, missed: Any = None) -> None:
        self.model, self.columns, self.missed = model, columns, missed

    def predict(self, rows: Any) -> Any:
        for row in numpy.asarray(rows, dtype=object)[:, list(self.columns)]:
            if tuple(float(cell) for cell in row) in {tuple(pair) for pair in self.missed}:
                raise MemoryError("no place for this row")
        return self.model.predict(rows)


class Drifts(Around):
    """Learns from its own answers, though not from those to whole files."""

    def predict(self, rows: Any) -> Any:
        if len(rows) <= MOST_TOGETHER:
            ASKED.append(len(rows))
        return self.model.predict(rows) * (3.0 if len(ASKED) > ASKED_BEFORE else 1.0)

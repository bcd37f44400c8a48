"""Which rows of a hold-out are among the training rows, and how many would be if nobody had trained on any."""

import math
from dataclasses import dataclass

import numpy

_DEVIATIONS = 3
# Where none was seen, up to three may come by chance. Source: Hanley and Lippman-Hand, If Nothing Goes Wrong, Is
# Everything All Right?, JAMA 1983 ("rule of three").
_NONE_SEEN = 3


@dataclass(frozen=True)
class Overlap:
    """`places` of those of so many hold-out `rows` that have a twin among the training rows, and the `natural` share
    of training rows that have such a twin among themselves."""

    places: tuple[int, ...]
    natural: float
    rows: int

    @property
    def by_chance(self) -> int:
        """So many hold-out rows have a twin at most when training set and hold-out are rows of one kind, by three
        standard deviations of a Poisson count."""
        expected = self.natural * self.rows
        return min(self.rows, math.floor(expected + _DEVIATIONS * math.sqrt(expected)) + _NONE_SEEN)


def equal_rows(training: numpy.ndarray, holdout: numpy.ndarray) -> Overlap:
    """Twins in inputs and target. Both have the shape (rows, 2): hashes of the inputs and of the whole row."""
    alike = _counts(training[:, 1]) > 1
    shared = numpy.flatnonzero(numpy.isin(holdout[:, 1], training[:, 1]))
    return Overlap(_listed(shared), float(alike.mean()), len(holdout))


def equal_inputs(training: numpy.ndarray, holdout: numpy.ndarray) -> Overlap:
    """Twins in the inputs with another target only, of rows that differ: equal ones fall on one side of a split
    together, so that counting each would make much of few."""
    theirs, places = _different(training), _different(holdout)
    known, asked = training[theirs], holdout[places]
    alike = _counts(known[:, 0]) > 1
    shared = numpy.isin(asked[:, 0], known[:, 0]) & ~numpy.isin(asked[:, 1], known[:, 1])
    return Overlap(_listed(places[shared]), float(alike.mean()), len(places))


def _different(rows: numpy.ndarray) -> numpy.ndarray:
    """Places of the first of those that are equal, in order."""
    return numpy.sort(numpy.unique(rows[:, 1], return_index=True)[1])


def _listed(places: numpy.ndarray) -> tuple[int, ...]:
    return tuple(places.tolist())


def _counts(hashes: numpy.ndarray) -> numpy.ndarray:
    """Of each row, how many have its hash."""
    _, place, counts = numpy.unique(hashes, return_inverse=True, return_counts=True)
    return counts[place]

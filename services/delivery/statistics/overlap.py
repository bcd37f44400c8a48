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
    """`places` of the hold-out rows that have a twin among the training rows, and the `natural` share of training
    rows that have such a twin among themselves."""

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
    return _overlap(numpy.isin(holdout[:, 1], training[:, 1]), alike)


def equal_inputs(training: numpy.ndarray, holdout: numpy.ndarray) -> Overlap:
    """Twins in the inputs, with no twin that has the target too."""
    alike = _counts(training[:, 0]) > _counts(training[:, 1])
    whole = numpy.isin(holdout[:, 1], training[:, 1])
    return _overlap(numpy.isin(holdout[:, 0], training[:, 0]) & ~whole, alike)


def _overlap(shared: numpy.ndarray, alike: numpy.ndarray) -> Overlap:
    return Overlap(tuple(numpy.flatnonzero(shared).tolist()), float(alike.mean()), len(shared))


def _counts(hashes: numpy.ndarray) -> numpy.ndarray:
    """Of each row, how many have its hash."""
    _, place, counts = numpy.unique(hashes, return_inverse=True, return_counts=True)
    return counts[place]

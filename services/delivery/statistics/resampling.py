"""Bootstrap resamples as counts: how often each row was drawn, the same for every metric, model and slice of a call.

A sample of n rows with replacement is n Poisson counts whose sum is n. So most of it is made of 16 random bits a row,
at a rate that gives somewhat fewer than n, and the rest is drawn row by row. That takes a third of the time of
drawing each row by its number. Source: Bickel and Freedman, Some asymptotic theory for the bootstrap (1981), for the
counts; a Poisson vector given its sum is multinomial (Feller, Probability Theory I, IX.9).
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy
from threadpoolctl import threadpool_limits

RESAMPLES = 10_000
# Counts of one batch, in bytes: what is made of them stays in a processor's cache.
_BATCH = 512 << 10
_LARGEST_COUNT = 40
_BITS = 16
# The counts fall short of all rows by so many standard deviations: more than all is seen once in 10^9.
_SHORT = 6


def over_resamples(
    rows: int, value: Callable[[numpy.ndarray], numpy.ndarray], resamples: int = RESAMPLES
) -> numpy.ndarray:
    """`value` of counts of shape (some resamples, rows), uint8, for all resamples, joined along the first axis.

    The same numbers each time and on any machine: a batch has a seed of its own, whichever thread works on it.
    """
    sizes = [len(some) for some in _batches(resamples, rows)]
    seeds = numpy.random.SeedSequence(0).spawn(len(sizes))
    bounds = _poisson_bounds(rows)

    def batch(seed: numpy.random.SeedSequence, size: int) -> numpy.ndarray:
        return value(_counts(numpy.random.SFC64(seed), bounds, size, rows))

    # Threads, because NumPy lets go of the interpreter in all that takes long here. Each multiplies matrices by itself:
    # threads of BLAS beside them wait by spinning, and take ten times as long where others need the cores.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return numpy.concatenate(list(pool.map(batch, seeds, sizes)))


def without_each_group(rows: int, value: Callable[[numpy.ndarray], numpy.ndarray], groups: int) -> numpy.ndarray:
    """`value` of counts that leave out one of `groups` random groups of rows each: the jackknife, where every row is
    a group. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), 11.5."""
    groups = min(groups, rows)
    group_of = numpy.random.default_rng(0).permutation(rows) % max(groups, 1)
    left_out = [numpy.array(some)[:, None] for some in _batches(groups, rows)]
    return numpy.concatenate([value((group_of != some).astype(numpy.uint8)) for some in left_out])


def _batches(items: int, rows: int) -> list[range]:
    size = max(1, _BATCH // max(rows, 1))
    return [range(first, min(first + size, items)) for first in range(0, items, size)]


def _counts(bits: numpy.random.SFC64, bounds: tuple[numpy.uint16, ...], resamples: int, rows: int) -> numpy.ndarray:
    """Of shape (resamples, rows), each row's sum is `rows`."""
    words = -(-resamples * rows * _BITS // 64)
    random = bits.random_raw(words).view(numpy.uint16)[: resamples * rows].reshape(resamples, rows)
    counts = numpy.zeros((resamples, rows), dtype=numpy.uint8)
    for bound in bounds:
        counts += (random >= bound).view(numpy.uint8)
    missing = numpy.maximum(rows - counts.sum(axis=1, dtype=numpy.int32), 0)
    drawn = numpy.random.Generator(bits).integers(0, rows, int(missing.sum()))
    # Flat, and of the same type: in any other way this takes sixty times as long.
    numpy.add.at(counts.reshape(-1), numpy.repeat(numpy.arange(resamples) * rows, missing) + drawn, numpy.uint8(1))
    return counts


@lru_cache(maxsize=4)
def _poisson_bounds(rows: int) -> tuple[numpy.uint16, ...]:
    """A count of a Poisson distribution of less than one is the number of these that 16 random bits reach."""
    rate = max(0.0, 1 - _SHORT / math.sqrt(max(rows, 1)))
    density = [math.exp(-rate) * rate**count / math.factorial(count) for count in range(_LARGEST_COUNT)]
    bounds = numpy.round(numpy.cumsum(density) * 2**_BITS)
    return tuple(numpy.uint16(bound) for bound in bounds.tolist() if bound < 2**_BITS)

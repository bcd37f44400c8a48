"""Whether two models err equally much on the same rows: which of both made an error is exchanged at random.

Source: Good, Permutation, Parametric and Bootstrap Tests of Hypotheses (2005), section 3.7, paired comparisons; the
p value counts what was observed too: Phipson and Smyth, Permutation P-values Should Never Be Zero, Statistical
Applications in Genetics and Molecular Biology 9 (2010).
"""

import numpy

PERMUTATIONS = 10_000
_BITS = 8
_ROUNDING = 1e-12


def paired_permutation(gained: numpy.ndarray, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """Two-sided p value of the mean of `gained`, one error less the other, of shape (rows,)."""
    sums = _exchanged(gained, permutations, numpy.random.default_rng(seed))
    # Sums that are equal but for rounding are equal.
    least = abs(gained.sum()) - _ROUNDING * numpy.abs(gained).sum()
    return float((numpy.count_nonzero(numpy.abs(sums) >= least) + 1) / (permutations + 1))


def _exchanged(gained: numpy.ndarray, permutations: int, random: numpy.random.Generator) -> numpy.ndarray:
    """A sum a permutation, each sign by a fair coin. Eight rows have 256 sums, so a byte draws one of them at once."""
    groups = numpy.pad(gained, (0, -len(gained) % _BITS)).reshape(-1, _BITS)
    bits = numpy.unpackbits(numpy.arange(256, dtype=numpy.uint8)[:, None], axis=1)
    sums = numpy.zeros(permutations)
    for possible in groups @ (1.0 - 2.0 * bits.T):
        sums += possible[random.integers(0, 256, permutations, dtype=numpy.uint8)]
    return sums

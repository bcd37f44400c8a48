"""Two classifiers over character n-grams: a small one as baseline, and one that is wider and trained for longer."""

from typing import Any

# Every word and every bucket of n-grams is a row of the model, which the service holds in memory. fastText's default of
# two million buckets is half a gigabyte; a word that was seen once says no more than its n-grams.
SMALL = {"bucket": 50_000, "minCount": 2}


def build(**parameters: float) -> dict[str, Any]:
    """Keyword arguments of fastText's `train_supervised`."""
    return {**SMALL, **parameters}

"""How far what a model says of its answers is from what comes.

Source of the bins: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015. Of several
labels the probability is that of the most probable one: Guo et al., On Calibration of Modern Neural Networks, 2017.
"""

from collections.abc import Sequence
from typing import Any

import numpy

from services.contract.prediction import Labelled, Prediction

BINS = 10
_SMALLEST = float(numpy.finfo(float).eps)


def bins_of(probability: numpy.ndarray) -> numpy.ndarray:
    """The bin of each, of ten of equal width; one is in the last."""
    return numpy.asarray(numpy.clip((probability * BINS).astype(int), 0, BINS - 1))


def expected_calibration_error(came: numpy.ndarray, probability: numpy.ndarray) -> float:
    """Mean distance of probability and share of what came over the bins, weighted by rows; both of shape (rows,)."""
    gaps = numpy.bincount(bins_of(probability), weights=probability - came, minlength=BINS)
    return float(numpy.abs(gaps).sum() / len(came))


def surprises(actual: Sequence[Any], predictions: Sequence[Prediction]) -> numpy.ndarray:
    """The log loss of each row of a classification, of shape (rows,): NaN where not all labels have a probability."""
    known = [one.probabilities if isinstance(one, Labelled) else None for one in predictions]
    of_rows = zip(known, actual, strict=True)
    return log_losses(numpy.array([numpy.nan if one is None else one.get(str(label), 0.0) for one, label in of_rows]))


def log_losses(probability: numpy.ndarray) -> numpy.ndarray:
    """Of the probability that what came was given, none of which counts for less than a float can tell from 0.

    Source: sklearn.metrics.log_loss.
    """
    return numpy.asarray(-numpy.log(numpy.clip(probability, _SMALLEST, 1)))

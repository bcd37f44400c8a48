"""Whether both models are equally good on these rows, whatever margin is allowed."""

from services.contract.comparison import SignificanceTest
from services.delivery.deltas.answered import Answered, Rightness, absolute_errors
from services.delivery.statistics.mcnemar import mcnemar
from services.delivery.statistics.permutation import PERMUTATIONS, paired_permutation


def significance(answered: Answered, found: Rightness, metric: str) -> SignificanceTest:
    """McNemar's test of labels, or a paired permutation of the errors that `metric` is made of."""
    return _of_labels(found) if answered.of_labels else _of_errors(answered, metric)


def _of_labels(found: Rightness) -> SignificanceTest:
    ours, theirs = int(found.candidate_only.sum()), int(found.live_only.sum())
    return SignificanceTest(
        name="McNemar's exact test",
        p_value=mcnemar(ours, theirs),
        words=f"only the candidate is right on {ours} rows, only live on {theirs}",
    )


def _of_errors(answered: Answered, metric: str) -> SignificanceTest:
    power, kind = (2, "squared") if metric == "root_mean_squared_error" else (1, "absolute")
    candidate, live = (absolute_errors(answered.actual, one) ** power for one in (answered.candidate, answered.live))
    return SignificanceTest(
        name="paired permutation test",
        p_value=paired_permutation(live - candidate),
        words=f"{kind} errors of {len(live)} rows, exchanged between both models at random {PERMUTATIONS} times",
    )

"""How far the distribution of the answers moved from the live model to the candidate."""

from services.contract.comparison import Shift
from services.delivery.deltas.answered import Answered, labels, numbers
from services.delivery.statistics.shift import kolmogorov_smirnov, moved, psi, psi_of_labels


def shift(answered: Answered) -> Shift:
    """Of numbers and of the probability of a binary label; with many labels, of the labels and of what they are given
    for a probability."""
    before, after = numbers(answered.live), numbers(answered.candidate)
    many = answered.task == "classification"
    index = psi_of_labels(labels(answered.live), labels(answered.candidate)) if many else psi(before, after)
    distance, p_value = kolmogorov_smirnov(before, after)
    what = {"regression": "numbers", "classification": "labels"}.get(answered.task, "probabilities")
    words = f"the answered {what} {moved(index)}: stability index {index:.3f}, largest distance {distance:.3f}"
    return Shift(psi=index, ks=distance, ks_p_value=p_value, words=words)

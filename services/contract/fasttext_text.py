"""How texts are given to fastText, and how its labels are read: the same where a model is checked and where it serves.

training/flavors/fasttext.py has its own copy, because that file is logged with the model and loads without this one.
"""

from collections.abc import Sequence

from services.contract.prediction import Labelled

LABEL_PREFIX = "__label__"
END_OF_LINE = "</s>"


def one_line(text: str) -> str:
    """The words that fastText is to read: any white space is a space, its own marks are left out.

    Those are `__label__…`, which would become a label, and `</s>`, behind which it would read no further.
    """
    words = text.encode(errors="replace").decode().replace("\0", " ").split()
    # Most texts have no marks, and to look for them word by word takes as long as fastText does.
    if LABEL_PREFIX in text or END_OF_LINE in text:
        words = [word for word in words if word != END_OF_LINE and not word.startswith(LABEL_PREFIX)]
    return " ".join(words)


def label_and_probability(label: str, probability: float) -> tuple[str, float]:
    """From fastText's own answer: it adds 0.00001 to every probability before it takes the logarithm."""
    return label.removeprefix(LABEL_PREFIX), min(float(probability), 1.0)


def labelled(label: str, probability: float) -> Labelled:
    """As `label_and_probability`."""
    label, probability = label_and_probability(label, probability)
    return Labelled(label=label, probability=probability)


def labelled_all(labels: Sequence[str], probabilities: Sequence[float], classes: Sequence[str]) -> Labelled:
    """From fastText's answer for `k` of -1, most probable first, with the probabilities of `classes`, whose sum is 1.

    What the label leaves of 1 is shared in proportion among the others, since what fastText answers adds up to more,
    and with the losses `ova` and `ns` to anything; `hs` leaves out what is below 0.00001.
    """
    first = labelled(labels[0], probabilities[0])
    given = {label.removeprefix(LABEL_PREFIX): float(one) for label, one in zip(labels, probabilities, strict=True)}
    others = sum(given.values()) - given[str(first.label)]
    share = (1 - first.probability) / others if others else 0.0
    shared = {name: given.get(name, 0.0) * share for name in classes}
    return Labelled(
        label=first.label,
        probability=first.probability,
        probabilities={**shared, str(first.label): first.probability},
    )

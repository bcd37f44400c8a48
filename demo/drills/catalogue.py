"""What is planted for each model, and the gate that is expected to stop it."""

from collections.abc import Collection
from dataclasses import dataclass

from services.contract.errors import Refused

LIVE = "live"
# No run of its own.
AGAIN = "equal"


@dataclass(frozen=True)
class Plant:
    """A candidate: `what` it is in words, and the `gate` that a data scientist expects to stop it, None for a good one.

    A `redeclared` one has a column more and a hold-out of its own, which a commit has pinned: nothing is live there,
    and statistics alone cannot tell whether the column is allowed, so it is to pass with a warning.
    """

    name: str
    what: str
    gate: str | None = None
    redeclared: bool = False

    @property
    def expected(self) -> str:
        return self.gate or ("a warning" if self.redeclared else "passes")


_PLANTS = (
    Plant(LIVE, "the first release, with which the others are compared"),
    Plant(AGAIN, "the live run, promoted again"),
    Plant("better", "trained for longer"),
    Plant("within-noise", "better by less than the noise"),
    Plant("older-and-worse", "an older run, which the live one has replaced", "compare"),
    Plant("shuffled-labels", "trained on shuffled labels", "thresholds"),
    Plant("swapped-classes", "answers each class in place of another", "thresholds"),
    Plant("two-classes-swapped", "takes two languages for each other", "slices"),
    Plant("constant-answer", "answers every row alike", "thresholds"),
    Plant("miscalibrated", "gives right answers wrong probabilities", "thresholds"),
    Plant("leaked-target", "its data.py fills a column from the target", "hold-out"),
    Plant("leaked-column", "a commit has added a column that is known only with the target", redeclared=True),
    Plant("trained-on-holdout", "trained on the hold-out as well", "leakage"),
    Plant("missing-column", "lacks a declared column in its signature", "signature"),
    Plant("crashes-on-load", "reads a file at load that only its author has", "load"),
    Plant("damaged-file", "its file ends too early", "load"),
    Plant("exits-on-unseen-word", "ends its process at a word that it has not seen", "robustness"),
    Plant("nan-for-some-rows", "answers NaN to some rows", "finite"),
    Plant("never-ends", "iterates until it converges, which it does not", "finite"),
    Plant("eats-memory", "holds each row against all that it was trained on", "finite"),
    Plant("much-bigger-file", "is many times as large as it has to be", "budgets"),
    Plant("ten-times-slower", "counts all prices again for every row", "latency"),
    Plant("depends-on-order", "mixes an answer with that of the row before", "stability"),
    Plant("answers-differently", "answers otherwise when it is asked again", "stability"),
    Plant("worse-on-a-slice", "better on all rows, much worse on one slice", "compare-slices"),
    Plant("other-normalisation", "trained on texts in lower case without accents", "slices"),
)
_GOOD = (LIVE, AGAIN, "better", "within-noise")
_OF_ALL = (
    *_GOOD, "older-and-worse", "shuffled-labels", "constant-answer", "leaked-target", "trained-on-holdout",
    "missing-column", "damaged-file", "nan-for-some-rows", "much-bigger-file",
)  # fmt: skip
# A file of fastText and the stages of Spark hold no code: nothing in them can hang or depend on the order of rows.
_BY_CODE = (
    "crashes-on-load", "exits-on-unseen-word", "never-ends", "eats-memory", "depends-on-order", "answers-differently",
)  # fmt: skip
PLANTED: dict[str, Collection[str]] = {
    "diamond-price": {*_OF_ALL, *_BY_CODE, "leaked-column", "ten-times-slower", "worse-on-a-slice"},
    "language-id": {
        *_OF_ALL, "swapped-classes", "two-classes-swapped", "miscalibrated", "other-normalisation", "worse-on-a-slice",
    },
    "flight-delay": {*_OF_ALL, "swapped-classes", "miscalibrated", "leaked-column", "worse-on-a-slice"},
}  # fmt: skip


MODELS = tuple(PLANTED)
# They pass every gate, and are bad only in production.
IN_PRODUCTION = (
    Plant("misses-some-rows", "errs on 2 % of the rows, of a kind that the hold-out does not have"),
    Plant("drifts", "learns from its own answers, and answers more and more"),
    Plant("leaks", "keeps what it worked with at each request"),
    Plant("slow-together", "takes long for rows that come at the same time"),
)
# What they are held against: in the same form, for a type of the model's own has no ONNX.
LIVE_BY_CODE = Plant("live-by-code", "a good model within a type of its own")
DRILLED_MODEL = "diamond-price"


def planted(model: str, only: Collection[str] = ()) -> list[Plant]:
    """In the order of planting: the live one, which is always among them, is the first.

    Raises Refused for a name that is not planted for this model.
    """
    found = [plant for plant in _PLANTS if plant.name in PLANTED[model]]
    if only and model == DRILLED_MODEL:
        found += (LIVE_BY_CODE, *IN_PRODUCTION)
    names = [plant.name for plant in found]
    if unknown := sorted(set(only) - set(names)):
        raise Refused(f"expected of {model} one of {', '.join(names)}; found '{unknown[0]}'")
    return [plant for plant in found if not only or plant.name in {LIVE, *only}]

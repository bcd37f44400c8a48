"""How the candidates of language-id are planted: fastText trained on rows that were changed, or its file changed."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from demo.drills.changes import cut_short, leaking, shuffled_labels, with_holdout, without_column
from demo.drills.planting import Ground, Trained
from training.dataset import Part

FILE = "data/model.bin"
FLOAT = 4
# Of a matrix in the file: whether it is quantized, its rows and its columns.
MATRIX_HEADER = 17
LIVE = {"epoch": 5, "dim": 16, "minn": 2, "maxn": 4, "lr": 0.5}
BETTER = {**LIVE, "epoch": 10, "maxn": 5}
OLDER = {**LIVE, "epoch": 3, "maxn": 3}
GERMAN = r"\b(?:ist|ein\w*|der|die)\b"
# Learns nothing, so every class is as probable as any other.
CONSTANT = {**LIVE, "epoch": 1, "lr": 1e-9}
BUCKETS, NAN_WORD = 50_000, 20
# What is left of the distance between the classes' scores; the first stays the first.
UNSURE = 0.3
# Of the spread of the classes' numbers.
SLIGHTLY = 0.01


@dataclass(frozen=True)
class Numbers:
    """Of a file, writable: a row of `inputs` for each word, and one of `outputs` for each label."""

    inputs: numpy.ndarray
    outputs: numpy.ndarray


def plant(name: str, ground: Ground) -> Trained:
    return PLANTS[name](ground)


def _fitted(ground: Ground, arguments: dict[str, float], part: Part | None = None) -> Any:
    return ground.fit(ground.own("build")(**arguments), part or ground.rows.dataset.training)


@cache
def _live(ground: Ground) -> Any:
    """Fitted once, for all that are made of it."""
    return _fitted(ground, LIVE)


def _with(arguments: dict[str, float]) -> Callable[[Ground], Trained]:
    return lambda ground: ground.trained(_fitted(ground, arguments))


def _on(change: Callable[[Part], Part], arguments: dict[str, float] = LIVE) -> Callable[[Ground], Trained]:
    return lambda ground: ground.trained(_fitted(ground, arguments, change(ground.rows.dataset.training)))


def _relabelled(part: Part, names: dict[str, str]) -> Part:
    return replace(part, target=part.target.replace(names))


def _next_class(part: Part) -> Part:
    known = sorted(part.target.unique())
    return _relabelled(part, dict(zip(known, [*known[1:], known[0]], strict=True)))


def _german_as_dutch(part: Part) -> Part:
    """A third of the German texts, those with such words, by a rule that was meant to tell languages apart."""
    wrong = (part.target == "de") & part.inputs["text"].str.contains(GERMAN)
    return replace(part, target=part.target.where(~wrong, "nl"))


def _spanish_for_portuguese(part: Part) -> Part:
    return _relabelled(part, {"es": "pt", "pt": "es"})


def _without_accents(part: Part) -> Part:
    return replace(part, inputs=part.inputs.assign(text=part.inputs["text"].map(plain)))


def plain(text: str) -> str:
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(letter)
    )


def _leaking(ground: Ground) -> Trained:
    """Each text begins with its language."""
    dataset = leaking(
        ground.rows.dataset, ground.config, lambda rows: rows.assign(text="[" + rows["label"] + "] " + rows["text"])
    )
    return ground.trained(_fitted(ground, LIVE, dataset.training), dataset=dataset)


def _on_holdout(ground: Ground) -> Trained:
    dataset = with_holdout(ground.rows.dataset, ground.config)
    return ground.trained(_fitted(ground, LIVE, dataset.training), dataset=dataset)


def _other_column(ground: Ground) -> Trained:
    """The only one has another name."""
    config, dataset = without_column(ground.config, "text"), ground.rows.dataset
    data = config.data.model_copy(update={"columns": {"sentence": "string"}})
    holdout = replace(dataset.holdout, inputs=dataset.holdout.inputs.rename(columns={"text": "sentence"}))
    return ground.trained(
        _live(ground),
        config=config.model_copy(update={"data": data}),
        dataset=replace(dataset, holdout=holdout),
    )


def _damaged(ground: Ground) -> Trained:
    return ground.trained(_live(ground), spoil=lambda folder: cut_short(folder / FILE))


def _with_numbers(change: Callable[[Numbers], None]) -> Callable[[Ground], Trained]:
    """What a model is made of is changed in its file."""

    def planted(ground: Ground) -> Trained:
        model = _live(ground)
        return ground.trained(model, spoil=lambda folder: rewrite(folder / FILE, model, change))

    return planted


def rewrite(file: Path, model: Any, change: Callable[[Numbers], None]) -> None:
    """The file ends with its two matrices. Source of the format: fastText's `FastText::saveModel`."""
    content = bytearray(file.read_bytes())
    columns, labels, words = model.get_dimension(), len(model.labels), len(model.words)
    last = len(content) - FLOAT * labels * columns
    first = last - MATRIX_HEADER - FLOAT * (words + BUCKETS) * columns
    outputs = numpy.frombuffer(content, "<f4", labels * columns, last)
    inputs = numpy.frombuffer(content, "<f4", words * columns, first)
    change(Numbers(inputs.reshape(words, columns), outputs.reshape(labels, columns)))
    file.write_bytes(content)


def _unsure(numbers: Numbers) -> None:
    numbers.outputs[:] *= UNSURE


def _slightly_other(numbers: Numbers) -> None:
    """Training anew would not do: fastText's threads write over one another, and how much differs with the machine."""
    random = numpy.random.default_rng(0)
    numbers.outputs[:] += random.normal(scale=SLIGHTLY * numbers.outputs.std(), size=numbers.outputs.shape)


def _nan_word(numbers: Numbers) -> None:
    """One that some texts have; the first words are those that most have."""
    numbers.inputs[NAN_WORD] = numpy.nan


PLANTS: dict[str, Callable[[Ground], Trained]] = {
    "live": lambda ground: ground.trained(_live(ground)),
    "better": _with(BETTER),
    "within-noise": _with_numbers(_slightly_other),
    "older-and-worse": _with(OLDER),
    "shuffled-labels": _on(shuffled_labels),
    "swapped-classes": _on(_next_class),
    "two-classes-swapped": _on(_spanish_for_portuguese, BETTER),
    "constant-answer": _with(CONSTANT),
    "miscalibrated": _with_numbers(_unsure),
    "leaked-target": _leaking,
    "trained-on-holdout": _on_holdout,
    "missing-column": _other_column,
    "damaged-file": _damaged,
    "nan-for-some-rows": _with_numbers(_nan_word),
    "much-bigger-file": _with({**LIVE, "bucket": 2_000_000}),
    "worse-on-a-slice": _on(_german_as_dutch, BETTER),
    "other-normalisation": _on(_without_accents),
}

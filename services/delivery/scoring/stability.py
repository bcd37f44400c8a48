"""Asks rows of the hold-out again: together, in another order and alone; a model is a function of a row."""

from collections.abc import Callable, Sequence
from typing import Any

from services.contract.prediction import Prediction, apart, differs_in, scale_of
from services.delivery.scoring.messages import Stability

Rows = Sequence[Sequence[Any]]
Ask = Callable[[Rows], list[Prediction | None]]
ROWS = 64


def ask_again(ask: Ask, rows: Rows, known: Sequence[Prediction | None], singles: int) -> Stability:
    """`known` are the answers when all rows were asked together."""
    places = list(range(0, len(rows), max(1, len(rows) // ROWS)))[:ROWS]
    alone = places[:: max(1, len(places) // singles)][:singles]
    ways = (
        ("together again", places, ask([rows[place] for place in places])),
        ("in another order", places[::-1], ask([rows[place] for place in places[::-1]])),
        ("alone", alone, [answer for place in alone for answer in ask([rows[place]])]),
    )
    scale = scale_of(known)
    largest, worst = 0.0, ""
    for way, asked, answers in ways:
        for place, answer in zip(asked, answers, strict=True):
            if (distance := apart(known[place], answer, scale)) > largest:
                largest, worst = distance, f"row {place} asked {way}: {differs_in(known[place], answer)}"
    return Stability(rows=len(places), singles=len(alone), largest=largest, worst=worst)

"""A model of XGBoost or LightGBM with the names of its classes, which neither library's file holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import yaml

from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction

CLASSES = "classes"


@dataclass(frozen=True)
class Boosted:
    """`classes` are names, or 0 and 1; none for a model that answers a number."""

    booster: Any
    classes: tuple[int | str, ...]


def read_answers(classes: Sequence[int | str], found: numpy.ndarray, all_classes: bool = False) -> list[Prediction]:
    """From numbers, from probabilities of 1, or from probabilities of shape (rows, classes); with `all_classes` each
    answer has all of them. Raises Refused for several numbers a row."""
    if not classes and found.ndim != 1:
        raise Refused(f"expected one number a row, found {found.shape[1]}: train a model for each of them")
    if not classes:
        return list(found.astype(float).tolist())
    binary, names = list(classes) == [0, 1], class_names(classes)
    chances = numpy.stack([1 - found, found], axis=1) if binary else found
    places = (found > 0.5).astype(int) if binary else found.argmax(axis=1)
    return [
        Labelled(
            label=classes[place],
            probability=float(row[1 if binary else place]),
            probabilities=dict(zip(names, row.tolist(), strict=True)) if all_classes else None,
        )
        for place, row in zip(places, chances, strict=True)
    ]


def class_names(classes: Sequence[int | str]) -> list[str]:
    """In the order of their probabilities; none of a model that answers a number."""
    return list(map(str, classes))


def read_classes(folder: Path) -> tuple[int | str, ...]:
    """Those that training wrote into `MLmodel` of MLflow's folder. Raises Refused where they are missing."""
    file = folder / "MLmodel"
    try:
        return tuple(yaml.safe_load(file.read_text(encoding="utf-8"))["metadata"][CLASSES])
    except (OSError, yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise Refused(f"{file.name}: expected metadata with '{CLASSES}', found none: log the model again") from error

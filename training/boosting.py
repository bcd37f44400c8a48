"""What XGBoost and LightGBM have in common: numbers in, and a target that says which objective fits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig


@dataclass(frozen=True)
class Objectives:
    """The library's names: for 0 and 1, and for the names of classes."""

    binary: str
    classes: str


@dataclass(frozen=True)
class Fitting:
    """`parameters` are complete, `target` is numbers, `classes` are those that its numbers stand for."""

    parameters: dict[str, Any]
    target: pandas.Series
    classes: tuple[int | str, ...]


def check_plan(plan: Any, config: ModelConfig, names: Objectives) -> None:
    """Raises Refused for a plan that is no dict, for columns of words and for an objective of another task."""
    if not isinstance(plan, Mapping):
        raise Refused(f"expected `build` to return a dict of the library's parameters, found {plan!r}")
    if words := [name for name, kind in config.data.columns.items() if kind == "string"]:
        raise Refused(f"expected columns of numbers, found {', '.join(words)}: encode them in a scikit-learn pipeline")
    wanted = {"binary-classification": names.binary, "classification": names.classes}.get(config.task)
    if wanted and (found := plan.get("objective", wanted)) != wanted:
        raise Refused(f"expected the objective {wanted} for {config.task}, found {found}: leave it out")


def prepare(plan: Mapping[str, Any], target: pandas.Series, names: Objectives) -> Fitting:
    """`target` is of doubles, of 0 and 1, or of names, which become their places in order."""
    if target.dtype.kind == "f":
        return Fitting(dict(plan), target, ())
    if target.dtype.kind in "iub":
        return Fitting({**plan, "objective": names.binary}, target, (0, 1))
    classes = tuple(sorted(map(str, target.unique())))
    numbers = target.map({name: place for place, name in enumerate(classes)}).astype(int)
    return Fitting({**plan, "objective": names.classes, "num_class": len(classes)}, numbers, classes)

"""What XGBoost and LightGBM have in common: numbers in, and a target that says which objective fits it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pandas

from services.contract.errors import Refused
from services.contract.model_config import ModelConfig

# A library's messages begin with a time and a place in its own source.
_PLACE = re.compile(r"^(\[[\d:]+\] )?(\S+\.\w+:\d+: )?")
_NUMBERS = ("double", "long", "boolean")


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
    """Raises Refused for a plan that is no dict, for columns of other than numbers and an objective of another task."""
    if not isinstance(plan, Mapping):
        advice = f": for {type(plan).__name__} write `library: sklearn` into model.yaml" if hasattr(plan, "fit") else ""
        raise Refused(
            f"expected `build` to return a dict of the library's parameters, found {type(plan).__name__}{advice}"
        )
    if others := [name for name, kind in config.data.columns.items() if kind not in _NUMBERS]:
        raise Refused(f"expected columns of numbers, found {', '.join(others)}: encode them in a scikit-learn pipeline")
    if functions := [name for name, value in plan.items() if callable(value)]:
        raise Refused(f"expected {functions[0]} by its name, found a function: it is stored with no model")
    wanted = {"binary-classification": names.binary, "classification": names.classes}.get(config.task)
    if wanted and (found := plan.get("objective", wanted)) != wanted:
        raise Refused(f"expected the objective {wanted} for {config.task}, found {found}: leave it out")
    if not wanted and (found := plan.get("objective")) in (names.binary, names.classes):
        raise Refused(f"expected an objective for regression, found {found}: declare the task that it is for")


def refuse_unknown(unknown: Collection[str], known: Collection[str], library: str) -> None:
    """Raises Refused for the first parameter that the library would leave unused, with a name that is alike."""
    for name in unknown:
        alike = get_close_matches(name, known, 1)
        advice = f"did you mean {alike[0]}?" if alike else "leave it out"
        raise Refused(f"expected parameters that {library} uses, found {name}: {advice}")


def said(error: Exception) -> str:
    """The library's own reason, in one line."""
    return _PLACE.sub("", str(error).strip().splitlines()[0])


def prepare(plan: Mapping[str, Any], target: pandas.Series, names: Objectives) -> Fitting:
    """`target` is of doubles, of 0 and 1, or of names, which become their places in order."""
    if target.dtype.kind == "f":
        return Fitting(dict(plan), target, ())
    if target.dtype.kind in "iub":
        return Fitting({**plan, "objective": names.binary}, target, (0, 1))
    classes = tuple(sorted(map(str, target.unique())))
    numbers = target.map({name: place for place, name in enumerate(classes)}).astype(int)
    return Fitting({**plan, "objective": names.classes, "num_class": len(classes)}, numbers, classes)

"""The distributions whose versions matter to a model: its library's, and a booster's in a pipeline of scikit-learn."""

from typing import Any

from training.flavors import Flavor

_BOOSTERS = {"lightgbm": "lightgbm", "xgboost": "xgboost-cpu"}


def libraries_of(flavor: Flavor, model: Any) -> tuple[str, ...]:
    """`model` is the plan or what was fitted of it."""
    return tuple(dict.fromkeys([*flavor.LIBRARIES, *boosters_in(model)]))


def boosters_in(model: Any) -> list[str]:
    """The distributions of the boosters among an estimator's steps, however deep."""
    parts = model.get_params().values() if hasattr(model, "get_params") else ()
    packages = {type(part).__module__.partition(".")[0] for part in (model, *parts)}
    return [name for package, name in _BOOSTERS.items() if package in packages]

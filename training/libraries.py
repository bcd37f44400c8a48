"""The distributions whose versions matter to a model: its library's, and a booster's in a pipeline of scikit-learn."""

from typing import Any

from training.flavors import Flavor

_BOOSTERS = {"lightgbm": "lightgbm", "xgboost": "xgboost-cpu"}


def libraries_of(flavor: Flavor, model: Any) -> tuple[str, ...]:
    """`model` is the plan or what was fitted of it."""
    parts = model.get_params().values() if hasattr(model, "get_params") else ()
    packages = {type(part).__module__.partition(".")[0] for part in (model, *parts)}
    return tuple(dict.fromkeys([*flavor.LIBRARIES, *(_BOOSTERS[name] for name in _BOOSTERS if name in packages)]))

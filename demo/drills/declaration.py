"""The drilled copies of a model's folder: what is shipped, with the types, columns and budgets that a drill needs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from services.contract.checkout import ROOT
from services.contract.model_config import MODEL_FILE

SHIPPED = ROOT / "training" / "models"
OWN_TYPES = Path(__file__).with_name("own_types.py")
# They end by what is found in them, long before their time; a good one is sent on by hand.
STEPS: dict[str, Any] = {"canary": ["50%"], "step": "10m", "bake": "10m", "limits": {"errors": "0.2%"}}
# Beside what is shipped: what never ends is ended sooner.
_CHANGES: dict[str, dict[str, Any]] = {
    "diamond-price": {
        "trusted": [
            f"train.{name}"
            for name in (
                "ReadsAFile", "Exits", "DividesByZero", "Iterates", "Neighbours", "CountsAgain", "Smooths", "Guesses",
                "Around", "SlowTogether", "Leaks", "Misses", "Drifts",
            )
        ],
        "gates": {"budgets": {"cpu_seconds": 30}},
        "rollout": STEPS,
    },
    "language-id": {},
    "flight-delay": {},
}  # fmt: skip
# A column that a careless join brings in; `load` of flight-delay has its own already.
_LEAKS: dict[str, tuple[str, str]] = {
    "diamond-price": (
        "appraisal",
        "\n\n_shipped = load\n\n\ndef load(files):\n"
        '    rows = _shipped(files)\n    return rows.assign(appraisal=(rows["price"] / 50).round() * 50.0)\n',
    ),
    "flight-delay": ("dep_delay", ""),
}


def declare(place: Path, model: str) -> Path:
    """The folder of models that the candidates are held against."""
    folder = _copied(place / "models", model)
    if model == "diamond-price":
        with (folder / "train.py").open("a") as train_py:
            train_py.write("\n\n" + OWN_TYPES.read_text())
    _change(folder, _CHANGES[model])
    return folder.parent


def redeclare(place: Path, model: str) -> Path:
    """The folder of models in which the leaking column is declared; its hold-out is not pinned yet."""
    column, load = _LEAKS[model]
    folder = _copied(place / "redeclared", model)
    with (folder / "data.py").open("a") as data_py:
        data_py.write(load)
    _change(folder, _CHANGES[model])
    _change(folder, {"data": {"columns": {column: "double"}, "holdout_sha256": None}, "example": None})
    return folder.parent


def pin(models: Path, model: str, holdout_sha256: str) -> None:
    """As the commit that declares other columns does."""
    _change(models / model, {"data": {"holdout_sha256": holdout_sha256}})


def _copied(models: Path, model: str) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(SHIPPED / model, models / model, ignore=ignored))


def _change(folder: Path, changes: Mapping[str, Any]) -> None:
    file = folder / MODEL_FILE
    declared = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(_merged(declared, changes), sort_keys=False, allow_unicode=True), encoding="utf-8")


def _merged(declared: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """`gates.slices` may also be a list of names."""
    if isinstance(declared, list):
        declared = {str(name): {} for name in declared}
    found = dict(declared)
    for name, value in changes.items():
        found[name] = _merged(found.get(name) or {}, value) if isinstance(value, Mapping) else value
    return found

"""Whether the candidate is what model.yaml declares, before it is asked anything."""

from pathlib import Path

import yaml

from services.contract.candidate import Candidate
from services.contract.cells import model_type
from services.contract.model_config import ModelConfig
from services.contract.verdict import Check
from services.delivery.gates.checks import check

# What MLflow widens by itself is declared as what it becomes.
_WIDENED = {"float": "double", "float?": "double?", "integer": "long", "integer?": "long?"}


def custody_checks(candidate: Candidate, folder: Path, config: ModelConfig) -> list[Check]:
    """Of hold-out, library and signature; `folder` is the model's."""
    pinned, found = config.data.holdout_sha256 or "none yet", candidate.run.holdout.sha256
    return [
        check("hold-out", found == pinned, f"the hold-out pinned in model.yaml, {pinned[:12]}", found[:12]),
        check("library", candidate.library == config.library, config.library, candidate.library),
        signature_check(folder, config),
    ]


def signature_check(folder: Path, config: ModelConfig) -> Check:
    """Compares MLmodel's signature with the declared columns, names, order and types."""
    signature = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8")).get("signature") or {}
    inputs = yaml.safe_load(signature.get("inputs") or "[]")
    found = [f"{one.get('name')} {one.get('type')}{'' if one.get('required', True) else '?'}" for one in inputs]
    widened = [f"{name} {_WIDENED.get(kind, kind)}" for name, _, kind in (one.rpartition(" ") for one in found)]
    expected = [f"{column.name} {model_type(column)}{'' if column.required else '?'}" for column in config.inputs]
    return check("signature", widened == expected, ", ".join(expected), ", ".join(found) or "no signature")

"""The steps of the demo for one model, as `training/models/<name>/demo.yaml` declares them."""

from pathlib import Path
from typing import Any

from services.contract.errors import Refused
from services.contract.located_yaml import load_yaml
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.record import Record

DEMO_FILE = "demo.yaml"


class DemoStep(Record):
    """A variant of model.yaml to train, what it is in words, and the reason of its promotion."""

    variant: str
    description: str
    reason: str


class DemoSteps(Record):
    """What `demo.yaml` holds: a variant that goes live first, and one that must replace it."""

    baseline: DemoStep
    better: DemoStep


def load_steps(models: Path, model: str) -> tuple[DemoSteps, dict[str, Any]]:
    """The steps, and the example row of model.yaml that the demo asks.

    Raises Refused for a model without demo.yaml or without an example, or when a variant is not in model.yaml.
    """
    config, path = load_model_config(models, model), models / model / DEMO_FILE
    if not path.is_file():
        known = ", ".join(sorted(found.parent.name for found in models.glob(f"*/{DEMO_FILE}"))) or "none"
        raise Refused(f"expected {path}, found none: models with a demo are {known}")
    if config.example is None:
        raise Refused(f"expected an `example` in {models / model}/model.yaml, found none: the demo asks that row")
    steps = load_yaml(path, DemoSteps)
    _refuse_unknown_variants(steps, config, path)
    return steps, dict(config.example)


def _refuse_unknown_variants(steps: DemoSteps, config: ModelConfig, path: Path) -> None:
    for step in (steps.baseline, steps.better):
        if step.variant not in config.variants:
            known = ", ".join(config.variants)
            raise Refused(f"{path}: expected a variant of model.yaml ({known}), found '{step.variant}'")

"""A model's signature is held against the declared columns; MLflow's narrower types are what they are widened to."""

import json
from pathlib import Path

import pytest
import yaml

from services.contract.model_config import load_model_config
from services.contract.verdict import Verdict
from services.delivery.gates.custody import signature_check
from tests.support.paths import MODELS

CONFIG = load_model_config(MODELS, "diamond-price")


@pytest.mark.parametrize(
    ("double", "verdict"), [("double", Verdict.PASS), ("float", Verdict.PASS), ("long", Verdict.FAIL)]
)
def test_a_float_is_a_double_and_nothing_else_is(double: str, verdict: Verdict, tmp_path: Path) -> None:
    inputs = [{"name": one.name, "type": double if one.type == "double" else one.type} for one in CONFIG.inputs]
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"signature": {"inputs": json.dumps(inputs)}}))
    assert signature_check(tmp_path, CONFIG).verdict is verdict

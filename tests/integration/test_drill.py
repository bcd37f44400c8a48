"""Planted candidates stop at their gates: all of diamond-price, and a part of the models that take longer."""

from collections.abc import Collection
from pathlib import Path

import pytest

from demo.drills.drill import Drill
from demo.drills.table import table
from services.contract.checkout import ROOT

# Of the others what needs another library's own answers, files or probabilities.
PART = {
    "diamond-price": (),
    "language-id": ("miscalibrated", "two-classes-swapped", "damaged-file", "nan-for-some-rows"),
    "flight-delay": ("missing-column", "damaged-file", "miscalibrated"),
}


@pytest.mark.needs("spark")
@pytest.mark.usefixtures("quick_java")
@pytest.mark.parametrize(("model", "only"), PART.items())
def test_each_candidate_stops_at_its_gate_and_good_ones_pass(
    model: str, only: Collection[str], mlflow_url: str, tmp_path: Path
) -> None:
    outcomes = Drill(tmp_path, model, mlflow_url, ROOT / ".venv", print).outcomes(only)
    assert [outcome.plant.name for outcome in outcomes if not outcome.as_expected] == [], table(outcomes)

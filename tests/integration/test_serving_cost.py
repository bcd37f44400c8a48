"""A request costs little more than in a server of Python that does nothing: measured beside it, so on any machine."""

from pathlib import Path

import pytest

from benchmarks.serving_cost import Cost, Plan, check, measured, report
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.release import Form, Servable
from services.delivery.flavors.sklearn import to_onnx
from tests.support.paths import ROOT
from tests.support.release_factory import INPUTS, ReleasePlan, build_release, train

FORM = Form(runtime="onnx", file="servable/model.onnx", tolerance=1e-9)
# Times the echo's CPU, one row. On two busy cores it was 2.0 to 2.4; 10 when FastAPI answered, 5 without the batches.
MOST = 3.0


@pytest.fixture
def release(tmp_path: Path) -> Path:
    def write_graph(folder: Path) -> None:
        (folder / "servable").mkdir()
        (folder / FORM.file).write_bytes(to_onnx(train(4000.0), folder, INPUTS))

    built = build_release(tmp_path, ReleasePlan(servable=Servable(form=FORM, notes=()), spoil=write_graph))
    return tmp_path / "releases" / built.digest


@pytest.mark.needs("prediction-onnx")
def test_a_request_costs_little_more_than_an_echo_of_the_same_bytes(release: Path) -> None:
    python = python_of("prediction-onnx", ROOT / ".venv")
    assert python
    ours, echo = measured(Plan(release=release, python=python, requests=2000, rounds=5))
    check(ours, echo, MOST)
    assert report(ours, echo).startswith("| | CPU a request | requests/s |\n")


def test_a_request_that_costs_more_than_its_bound_is_told() -> None:
    with pytest.raises(Refused, match="expected at most 3 times the CPU of the echo, found 3.10: profile what is new"):
        check(Cost(cpu=310e-6, rate=1.0), Cost(cpu=100e-6, rate=2.0), MOST)

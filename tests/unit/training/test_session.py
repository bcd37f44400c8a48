"""What is recorded of a notebook's session, and what a notebook's frames become."""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pandas
import pytest

from services.contract.errors import Refused
from services.contract.model_config import Data
from training.dataset import as_given, split
from training.session import executed, session_code

DATA = Data(source="made up", target="price", columns={"carat": "double", "cut": "string"}, holdout_sha256=None)
FRAME = pandas.DataFrame({"carat": [n / 8 for n in range(40)], "cut": ["Fair", "Ideal"] * 20, "price": range(40)})


@dataclass
class Output:
    output_type: str
    bundle: dict[str, Any]


@dataclass
class History:
    """As IPython keeps it: the input before the first is empty."""

    input_hist_raw: list[str]
    outputs: dict[int, list[Output]] = field(default_factory=lambda: defaultdict(list))
    exceptions: dict[int, dict[str, Any]] = field(default_factory=dict)


def test_a_notebook_is_recorded_as_it_ran_with_what_it_printed_showed_and_raised() -> None:
    history = History(["", "print(1)\n2", "raise ValueError('no')"])
    history.outputs[1] = [
        Output("out_stream", {"stream": ["1", "\n"]}),
        Output("execute_result", {"text/plain": "2"}),
    ]
    history.exceptions[2] = {"ename": "ValueError", "evalue": "no", "traceback": ["…"]}
    first, second = json.loads(executed(history))["cells"]
    assert (first["source"], first["execution_count"]) == (["print(1)\n", "2"], 1)
    assert first["outputs"] == [
        {"name": "stdout", "output_type": "stream", "text": ["1\n"]},
        {"data": {"text/plain": ["2"]}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"},
    ]
    assert second["outputs"][0]["ename"] == "ValueError"


def test_of_a_script_the_file_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    (name,) = session_code()
    assert name == "test_session.py"
    assert b"def test_of_a_script" in session_code()[name]


def test_frames_of_a_split_have_its_digests_when_they_come_back() -> None:
    known = split(FRAME, DATA, "regression", "made up")
    training, holdout = (part.inputs.join(part.target) for part in (known.training, known.holdout))
    given = as_given(training, holdout, DATA, "regression", "made up")
    assert (given.training.digest, given.holdout.digest) == (known.training.digest, known.holdout.digest)
    other = as_given(training.iloc[1:], holdout, DATA, "regression", "made up")
    assert other.training.digest != known.training.digest


@pytest.mark.parametrize(
    ("holdout", "complaint"),
    [
        (FRAME.drop(columns="cut"), "missing: cut"),
        (FRAME.iloc[:0], "expected rows in training set and hold-out, found none in the hold-out"),
        (FRAME.assign(carat=None), "column 'carat': expected a value in every row, found 40 without"),
    ],
)
def test_a_frame_that_is_not_what_is_declared_is_refused(holdout: pandas.DataFrame, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        as_given(FRAME, holdout, DATA, "regression", "made up")

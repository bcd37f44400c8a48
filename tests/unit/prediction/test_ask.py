"""A file of rows is answered as HTTP would answer it, and says what it cost."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.contract.answers import Answers
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column, Release, ServingLimits
from services.contract.stopwatch import ROUNDS, TIMED_ROWS
from services.prediction.__main__ import main
from services.prediction.ask import answer_file, nothing_printed, seconds_since_start
from services.prediction.predictor import Predictor
from tests.support.paths import ROOT
from tests.support.release_factory import ROWS, SKLEARN, ReleasePlan, build_release, expected_predictions

MAX_ROWS = 3


class Adder:
    """Answers the sum of its two numbers and refuses 13; remembers how many rows it was asked at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        self.batches.append(len(rows))
        if any(row[0] == 13 for row in rows):
            raise ValueError("unlucky")
        return [sum(float(cell) for cell in row if isinstance(cell, float) and not math.isnan(cell)) for row in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        raise NotImplementedError


def boot_clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    inputs = (Column(name="one", type="double"), Column(name="other", type="double", required=False))
    built = build_release(tmp_path, ReleasePlan(limits=ServingLimits(max_rows=MAX_ROWS)))
    return Release(digest=built.digest, manifest=built.manifest.model_copy(update={"inputs": inputs}))


def asked(release: Release, model: Any, rows: Sequence[Any], folder: Path, limit_ms: float = math.inf) -> Answers:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return answer_file(Predictor(release, SKLEARN, model), path, limit_ms)


def test_a_row_that_cannot_be_answered_is_null_and_does_not_spoil_the_others(release: Release, tmp_path: Path) -> None:
    rows = [[1, 2], [13, 0], ["a", 1], [4, 5], [None, 1], [1e308, 1e308], [6], [7, 8, 9], [8, -9]]
    found = asked(release, Adder(), rows, tmp_path).predictions
    assert found == (3.0, None, None, 9.0, None, None, None, None, -1.0)


def test_nan_in_the_file_is_an_optional_number_left_out(release: Release, tmp_path: Path) -> None:
    found = asked(release, Adder(), [[1, math.nan], [2, None], [math.nan, 1]], tmp_path).predictions
    assert found == (1.0, 2.0, None)


def test_no_more_rows_at_once_than_a_request_may_have(release: Release, tmp_path: Path) -> None:
    adder = Adder()
    found = asked(release, adder, [[place, 0] for place in range(8)], tmp_path)
    assert found.predictions == tuple(float(place) for place in range(8))
    assert adder.batches == [3, 3, 2] + 8 * [1]


def test_the_first_hundred_rows_are_timed_one_at_a_time(release: Release, tmp_path: Path) -> None:
    found = asked(release, Adder(), [[1, 2]] * (TIMED_ROWS + 5), tmp_path)
    assert (len(found.predictions), [len(one.rows) for one in found.rounds]) == (TIMED_ROWS + 5, [TIMED_ROWS])
    assert all(0 < row.thread <= row.clock for row in found.rounds[0].rows)


def test_rows_are_timed_again_while_they_take_longer_than_the_limit(release: Release, tmp_path: Path) -> None:
    found = asked(release, Adder(), [[1, 2]] * 3, tmp_path, limit_ms=0.0)
    assert [len(one.rows) for one in found.rounds] == [3] * ROUNDS


def test_labels_come_back_as_they_were_given(release: Release, tmp_path: Path) -> None:
    answer = Labelled(label="größer", probability=0.1)

    class Namer:
        def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
            return [answer for _ in rows]

    found = asked(release, Namer(), [[1, 2]], tmp_path)
    assert Answers.from_json(found.to_json()).predictions == (answer,)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[["a"], {}]', "[" * 100_000, "\udcff"])
def test_a_file_that_is_no_list_of_rows_is_refused(content: str, release: Release, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(Refused, match=r"rows\.json: expected a JSON list of rows"):
        answer_file(Predictor(release, SKLEARN, Adder()), path)


def test_the_command_prints_one_record_with_what_the_answers_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = build_release(tmp_path)
    questions = tmp_path / "rows.json"
    questions.write_text(json.dumps([*ROWS, [1.0, "Ideal", "not a grade"]]))
    folder = tmp_path / "releases" / release.digest
    assert main([str(folder), "--digest", release.digest, "--ask", str(questions)]) == 0
    found = Answers.from_json(capsys.readouterr().out)
    assert found.predictions[:-1] == pytest.approx(tuple(expected_predictions(tmp_path, release)), rel=1e-9)
    assert found.predictions[-1] is None
    assert [len(one.rows) for one in found.rounds] == [len(ROWS) + 1]


@pytest.mark.process
def test_the_start_is_when_the_kernel_made_the_process() -> None:
    """Held against looks at the clock around its making and around the question; the kernel rounds to a hundredth."""
    module = "tests.unit.prediction.test_ask"
    code = f"from {module} import *; print(boot_clock(), seconds_since_start(), boot_clock())"
    before = boot_clock()
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    after = boot_clock()
    first, since, last = map(float, child.communicate()[0].split())
    assert first - since <= after
    assert last - since >= before - 0.01


def test_memory_is_what_the_process_holds(release: Release, tmp_path: Path) -> None:
    found = asked(release, Adder(), [[1, 2]], tmp_path)
    assert 0 < found.ready_seconds < seconds_since_start()
    assert found.memory_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


def test_what_a_model_prints_is_no_part_of_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    with nothing_printed():
        os.write(1, b"a library's greeting\n")
        print("a model's")  # noqa: T201
    print("{}")  # noqa: T201
    printed = capfd.readouterr()
    assert printed.out == "{}\n"
    assert sorted(printed.err.splitlines()) == ["a library's greeting", "a model's"]

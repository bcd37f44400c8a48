"""The training set in short: what is logged of each column, held against counts by hand."""

from typing import Any

import numpy
import pandas
import pytest

from services.contract.candidate import ColumnSummary, DataDigest
from services.contract.model_config import Data
from services.contract.task import Task
from training.dataset import Part
from training.summaries import summaries

DAY = 86_400.0


def part(columns: dict[str, pandas.Series], target: pandas.Series) -> Part:
    frame = pandas.DataFrame(columns, index=range(len(target)))
    return Part(frame, target, b"", DataDigest(sha256="1" * 64, rows=len(frame), source="made up"))


def summed(kind: str, values: pandas.Series, target: pandas.Series | None = None, task: Task = "regression") -> Any:
    data = Data.model_validate({"source": "made up", "target": "y", "columns": {"x": kind}, "holdout_sha256": None})
    return summaries(part({"x": values}, pandas.Series([0.0] * len(values)) if target is None else target), data, task)


def test_numbers_are_told_by_their_quantiles() -> None:
    found = summed("double", pandas.Series([*range(101)], dtype=float))["x"]
    assert found == ColumnSummary(missing=0, distinct=101, quantiles=(0, 5, 25, 50, 75, 95, 100))


def test_what_is_missing_is_a_share_and_no_number() -> None:
    found = summed("double", pandas.Series([1.0, numpy.nan, 3.0, numpy.nan]))["x"]
    assert (found.missing, found.distinct, found.quantiles[3]) == (0.5, 2, 2.0)
    nothing = summed("double", pandas.Series([numpy.nan] * 3))["x"]
    assert nothing == ColumnSummary(missing=1.0, distinct=0)


def test_words_are_told_by_their_shares_and_by_their_length() -> None:
    found = summed("string", pandas.Series(["Ideal"] * 3 + ["Good"]))["x"]
    assert found.shares == {"Ideal": 0.75, "Good": 0.25}
    assert (found.quantiles[0], found.quantiles[-1]) == (4, 5)


def test_texts_that_hardly_repeat_have_no_shares_and_those_of_a_hundred_words_twenty() -> None:
    texts = summed("string", pandas.Series([f"text {n:04}" for n in range(2000)]))["x"]
    assert (texts.shares, texts.distinct, set(texts.quantiles)) == ({}, 2000, {9.0})
    words = summed("string", pandas.Series([f"w{n}" for n in range(100) for _ in range(n + 1)]))["x"]
    assert set(words.shares) == {f"w{n}" for n in range(80, 100)}


@pytest.mark.parametrize("values", [[True, True, True, False], [1.0, 1.0, 1.0, 0.0, numpy.nan]])
def test_truth_is_told_by_its_shares(values: list[Any]) -> None:
    assert summed("boolean", pandas.Series(values))["x"].shares == {"1": 0.75, "0": 0.25}


def test_moments_are_seconds_since_1970() -> None:
    days = pandas.to_datetime(pandas.Series(["1970-01-02", "1970-01-04", None])).astype("datetime64[ns]")
    found = summed("date", days)["x"]
    assert (found.quantiles[0], found.quantiles[-1]) == (DAY, 3 * DAY)
    assert found.missing == pytest.approx(1 / 3)


def test_the_target_is_among_them_each_label_with_its_share() -> None:
    numbers = pandas.Series([0.0] * 10)
    late = summed("double", numbers, pandas.Series([1] * 2 + [0] * 8), "binary-classification")["y"]
    assert late.shares == {"1": 0.2, "0": 0.8}
    spoken = summed("double", numbers, pandas.Series(["de"] * 4 + ["fr"] * 6), "classification")["y"]
    assert spoken.shares == {"fr": 0.6, "de": 0.4}
    assert summed("double", numbers, numbers + 2)["y"].quantiles == (2,) * 7


def test_a_long_word_is_cut_so_that_no_text_fills_the_record() -> None:
    assert list(summed("string", pandas.Series(["ä" * 500] * 5))["x"].shares) == ["ä" * 60]

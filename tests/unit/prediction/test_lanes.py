"""An answer has the same digits whatever its row is scored with."""

import numpy
import pytest
from sklearn.linear_model import LogisticRegression

from services.contract.release import Column
from services.prediction.lanes import filled
from services.prediction.runtimes.sklearn import SklearnModel

COLUMNS = [Column(name=f"x{place}", type="double") for place in range(30)]


@pytest.mark.parametrize(("rows", "expected"), [("", ""), ("a", "aaaa"), ("abcd", "abcd"), ("abcde", "abcdeeee")])
def test_rows_come_in_fours(rows: str, expected: str) -> None:
    assert "".join(filled(list(rows))) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_a_row_is_answered_alike_alone_and_among_others(size: int) -> None:
    random = numpy.random.default_rng(1)
    table = random.normal(size=(210, len(COLUMNS)))
    model = SklearnModel(LogisticRegression().fit(table, table[:, 0] > 0), COLUMNS)
    rows = table.tolist()
    parts = [answer for start in range(0, len(rows), size) for answer in model.predict(rows[start : start + size])]
    assert parts == model.predict(rows)

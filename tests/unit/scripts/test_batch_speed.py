"""The table of benchmarks/batch-speed: ratios are of the same round, and goals are held against their median."""

from pathlib import Path

import pytest

from benchmarks.batch_records import Subject
from benchmarks.batch_speed import Measured, Spread, ratio, table, ways


def subject(library: str) -> Subject:
    return Subject(
        model="flight-delay",
        library=library,
        runtime="onnx",
        digest="a" * 64,
        release=Path("/release"),
        mlflow_model=Path("/model"),
        input=Path("/rows"),
        rows=1000,
    )


def test_a_ratio_is_of_rates_of_the_same_round() -> None:
    """A machine that is twice as slow in one round says nothing of either."""
    assert ratio(Measured("score", "-", [20.0, 10.0, 21.0]), Measured("native", "-", [10.0, 5.0, 10.0])) == Spread(
        2.0, 2.0, 2.1
    )


@pytest.mark.parametrize(
    ("library", "beside"), [("spark", {"native", "spark_udf", "pandas"}), ("sklearn", {"spark_udf", "pandas"})]
)
def test_only_mllib_has_a_transform_of_its_own(library: str, beside: set[str]) -> None:
    assert {way for way, _ in ways(subject(library))} == {"score", *beside}


def test_the_table_has_rates_ratios_with_their_spread_memory_and_goals() -> None:
    found = [
        Measured("score", "local[1]", [300.0, 100.0, 310.0], 210_000_000),
        Measured("score", "local[2]", [510.0, 160.0, 500.0], 212_000_000),
        Measured("native", "local[1]", [200.0, 80.0, 200.0]),
        Measured("native", "local[2]", [400.0, 130.0, 420.0]),
        Measured("spark_udf", "local[1]", [10.0, 4.0, 10.0], 700_000_000),
        Measured("spark_udf", "local[2]", [20.0, 9.0, 20.0], 700_000_000),
        Measured("pandas", "-", [100.0, 50.0, 100.0], 300_000_000),
    ]
    lines = [" ".join(line.split()) for line in table(subject("spark"), found).splitlines()]
    assert lines[0] == "flight-delay (spark, served as onnx), 1,000 rows"
    assert "score local[1] 300 (100 to 310) rows/s Python process 210 MB (goal ≤ 400)" in lines
    assert "native local[1] 200 (80 to 200) rows/s" in lines
    assert "score : native, local[1] 1.50 (1.25 to 1.55) goal ≥ 1.2: met" in lines
    assert "score : spark_udf, local[2] 25.00 (17.78 to 25.50) goal ≥ 20: met" in lines
    assert "score : pandas, local[1] 3.00 (2.00 to 3.10)" in lines
    assert "score, local[2] : local[1] 1.61 (1.60 to 1.70) goal ≥ 1.7: missed" in lines

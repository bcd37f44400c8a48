"""A person's own hold-out file has the digest of the training job's when its rows are the same."""

import gzip
import hashlib
from pathlib import Path

import pandas
import pytest

from services.contract.errors import Refused
from services.contract.model_config import Data, ModelConfig
from services.delivery.scoring.canonical import canonical_holdout
from training.dataset import as_given


def config(holdout_sha256: str | None = None) -> ModelConfig:
    columns = {"carat": "double", "cut": "string", "grade": "long", "rare": "boolean", "depth": "double", "day": "date"}
    gates = {"thresholds": {"r2_score": {"min": 0}}, "latency_p99_ms": 1, "compare": {"metric": "mean_absolute_error"}}
    data = {
        "source": "",
        "target": "price",
        "columns": columns,
        "optional": ["depth", "day"],
        "holdout_sha256": holdout_sha256,
    }
    told = {"name": "gems", "description": "", "library": "sklearn", "task": "regression", "variants": {"only": {}}}
    return ModelConfig.model_validate({**told, "data": Data.model_validate(data), "gates": gates})


def test_it_is_written_as_the_training_job_writes_its_own(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {
            "carat": [0.1, 1e-05, 1e22, 3.0, 1 / 3],
            "cut": ["Fair", 'a "b", c', "\u2603", "two\nlines", "x"],
            "grade": [1, -2, 2**60, 0, 7],
            "rare": [True, False, True, True, False],
            "depth": [61.5, None, 0.0, -0.0, None],
            "day": ["2013-12-27", None, "2013-12-28", "2013-12-27", None],
            "price": [326.0, 1.5, 2.0, 1e3, 7.25],
        }
    )
    model = config()
    expected = as_given(frame, frame, model.data, model.task, "").holdout.csv
    file = tmp_path / "mine.csv"
    lines = frame[[*reversed(frame.columns)]].to_csv(index=False, lineterminator="\r\n").replace("True", "true")
    file.write_bytes(b"\xef\xbb\xbf" + lines.replace(",3.0\r\n", ",+3.00\r\n").encode())
    assert canonical_holdout(file, model) == expected
    for other in (expected, gzip.compress(expected), expected.replace(b",,", b",NA,"), expected.replace(b"True", b"1")):
        file.write_bytes(other)
        assert canonical_holdout(file, model) == expected


def test_the_pinned_file_is_taken_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "pinned.csv"
    file.write_bytes(b"whatever the training job wrote\n")
    with pytest.raises(Refused, match="expected columns"):
        canonical_holdout(file, config("0" * 64))
    assert canonical_holdout(file, config(hashlib.sha256(file.read_bytes()).hexdigest())) == file.read_bytes()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0.1,Fair,1.5,true,,,1", "mine.csv:2: column 'grade': expected a whole number, found '1.5'"),
        ("0.1,,1,true,,,1", "mine.csv:2: column 'cut': expected a text, found '', a missing value"),
        ("inf,Fair,1,true,,,1", "mine.csv:2: column 'carat': expected a number, found 'inf'"),
        ("3_750,Fair,1,true,,,1", "mine.csv:2: column 'carat': expected a number, found '3_750'"),
        ("0.1,Fair,1,yes,,,1", "mine.csv:2: column 'rare': expected true or false, found 'yes'"),
        ("0.1,Fair,1,true", "mine.csv:2: expected 7 fields, found 4"),
        ("0.1,Fair,1,true,,Friday,1", "mine.csv:2: column 'day': expected a date such as 2013-12-27 or an empty field"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(f"carat,cut,grade,rare,depth,day,price\n{line}\n")
    with pytest.raises(Refused, match=complaint):
        canonical_holdout(file, config())

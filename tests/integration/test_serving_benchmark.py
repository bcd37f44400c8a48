"""The whole of benchmarks/serving, for a moment: ours and the echo, started, asked, and measured."""

import json
from pathlib import Path

import pandas
import pytest

from benchmarks.batch_records import Subject
from benchmarks.serving import main
from tests.support.release_factory import INPUTS, ROWS, build_release

CELL = ["--rows", "1", "--connections", "2", "--seconds", "0.2", "--rounds", "1", "--starts", "1"]


def test_ours_and_the_echo_are_measured_in_the_same_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release, table = build_release(tmp_path / "store"), tmp_path / "rows.parquet"
    pandas.DataFrame(ROWS, columns=[column.name for column in INPUTS]).to_parquet(table)
    subject = Subject(
        model="diamond-price",
        library="sklearn",
        runtime="sklearn",
        digest=release.digest,
        release=tmp_path / "store" / "releases" / release.digest,
        mlflow_model=tmp_path,
        input=table,
        rows=1,
    )
    subject.write(tmp_path / "diamond-price-1.subject.json")
    asked = ["--models", "diamond-price", "--peers", "--state", str(tmp_path), "--out", str(tmp_path / "out"), *CELL]
    assert main(asked) == 0
    page = capsys.readouterr().out
    assert release.digest[:12] in page
    ours, echo = json.loads((tmp_path / "out" / "serving-speed.json").read_text())["diamond-price"]
    assert (ours["server"], echo["server"], ours["reason"], echo["reason"]) == ("trackback", "echo", "", "")
    for measured in (ours, echo):
        (cell,) = measured["cells"]
        (sample,) = cell["rounds"]
        assert cell["refused"] == ""
        assert sample["rate"] > 0
        assert 0 < sample["p50"] <= sample["p99"]
        assert measured["cold_starts"][0] > 0
        assert measured["memory"] > 5_000_000
    assert (tmp_path / "out" / "serving-speed.md").read_text() == page
    assert (tmp_path / "out" / "serving-speed.svg").read_text().startswith("<?xml")

"""What benchmarks/serving makes of its samples: quantiles, ratios of the same round, tables, and its doubts."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.serving import main
from benchmarks.serving_figures import Cell, Result, Sample, generator_limits, quantile, ratio, tables
from benchmarks.serving_peers import BY_NAME, ECHO, OTHERS, OURS
from benchmarks.serving_subjects import Served, inference, invocation, predictions
from services.contract.release import Column

ONE = Cell(1, 32)


def sample(rate: float, cpu: float = 1e-4, busy: float = 1.0) -> Sample:
    return Sample(rate=rate, p50=0.001, p99=0.0025, cpu=cpu, generator=2e-5, busy=busy)


def result(server: str, *rates: float, cpu: float = 1e-4, busy: float = 1.0) -> Result:
    samples = {ONE: [sample(rate, cpu, busy) for rate in rates]}
    return Result(server, "1.0", [0.5, 0.4, 0.9], 97_000_000, 101_000_000, samples=samples)


def served(library: str) -> Served:
    nowhere = Path("/nowhere")
    return Served(
        model="diamond-price",
        library=library,
        runtime="onnx",
        digest="a" * 64,
        release=nowhere,
        logged=nowhere,
        mlflow=nowhere,
        file=nowhere,
        inputs=(Column(name="carat", type="double"), Column(name="cut", type="string")),
        rows=((0.23, "Good"), (1.5, "Ideal")),
    )


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.99, 4.0), (0.75, 3.0), (0.76, 4.0)])
def test_a_quantile_is_the_least_value_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == expected


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile([], 0.5) == 0.0


def test_a_ratio_is_of_the_same_round() -> None:
    """A machine that is ten times as slow in one round says nothing of either server."""
    ours, other = result("ours", 200.0, 20.0, 210.0), result("other", 100.0, 10.0, 100.0)
    assert ratio(ours, other, ONE, lambda one: one.rate) == 2.0


def test_a_cell_in_which_a_request_failed_has_no_figures() -> None:
    ours, other = result("ours", 200.0), result("other", 100.0)
    other.refused[ONE] = "1 of 7 requests failed: status 500"
    assert math.isnan(ratio(ours, other, ONE, lambda one: one.rate))
    page = tables([ours, other], [1], [32])
    assert "- other, 1 row, c32: 1 of 7 requests failed: status 500" in page
    assert "| other | – | – / – | – | – | – |" in page


def test_the_tables_have_starts_speeds_ratios_and_a_line_for_whoever_is_missing() -> None:
    ours, mlflow = result("trackback", 3000.0, 3100.0), result("mlflow", 60.0, 62.0, cpu=0.0166)
    lines = tables([ours, mlflow, Result("ray-serve", reason="no wheels for this machine")], [1], [32]).splitlines()
    assert lines[:3] == [
        "| server | version | cold start, s | memory, MB | after the load, MB |",
        "| --- | --- | --- | --- | --- |",
        "| trackback | 1.0 | 0.5 | 97 | 101 |",
    ]
    assert "| ray-serve |  | – | – | – |" in lines
    head = "| 1 row | req/s c32 | p50 / p99 ms c32 | CPU µs/req c32 | ours : it, req/s c32 | it : ours, CPU |"
    assert lines[lines.index(head) + 2 :][:2] == [
        "| trackback | 3,050 | 1 / 2.5 | 100 | 1 | 1 |",
        "| mlflow | 61 | 1 / 2.5 | 16,600 | 50 | 166 |",
    ]
    assert lines[-1] == "- ray-serve: no wheels for this machine"


def test_an_echo_that_waits_for_the_load_generator_is_said() -> None:
    assert list(generator_limits(result(ECHO, 30_000.0, busy=0.97), [ONE])) == []
    (line,) = generator_limits(result(ECHO, 30_000.0, busy=0.61), [ONE])
    assert line.startswith("1 row, c32: expected the echo to have work ≥ 90% of the time, found 61%: ")


def test_both_protocols_carry_the_same_rows() -> None:
    assert json.loads(invocation(served("sklearn"), 2)) == {
        "dataframe_split": {"columns": ["carat", "cut"], "data": [[0.23, "Good"], [1.5, "Ideal"]]}
    }
    carat, cut = json.loads(inference(served("sklearn"), 2))["inputs"]
    assert (carat["shape"], carat["datatype"], carat["data"]) == ([2, 1], "FP64", [0.23, 1.5])
    assert (cut["datatype"], cut["data"]) == ("BYTES", ["Good", "Ideal"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"predictions": [1.5, 2]}', [1.5, 2]),
        (b'{"predictions": [{"label": "en", "probability": 0.5}]}', ["en"]),
        (b'{"outputs": [{"data": [1.5]}]}', [1.5]),
    ],
)
def test_predictions_are_found_in_the_answer_of_any_server(answer: bytes, expected: list[object]) -> None:
    assert predictions(answer) == expected


def test_a_server_says_which_models_it_cannot_serve() -> None:
    assert BY_NAME["mlserver-sklearn"].unable(served("fasttext")) == "serves models of sklearn only"
    assert [name for name in OTHERS if BY_NAME[name].unable(served("spark"))] == ["mlserver-sklearn"]
    assert BY_NAME[OURS].unable(served("spark")) == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--peers", "tomcat"], "'tomcat'"), (["--rows", "0"], "'0'"), (["--models", "iris"], "'iris'")],
)
def test_a_word_that_is_not_known_is_named(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert named in capsys.readouterr().err

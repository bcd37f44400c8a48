"""What `trackback check` finds before a fit, and what it says a person may do."""

from collections.abc import Sequence
from pathlib import Path

import mlflow
import pytest

from services.contract.errors import Refused
from services.contract.verdict import Verdict
from training.check import CheckRequest, Finding, check

# MLflow asks git where the code is from.
pytestmark = pytest.mark.process

YAML = """
name: gems
description: made up
library: sklearn
task: regression
data:
  source: made up
  target: price
  columns: {carat: double, depth: double}
  holdout_sha256: null
variants: {first: {alpha: 1.0}, second: {alpha: 2.0}}
gates:
  thresholds: {mean_absolute_error: {max: 5}}
  latency_p99_ms: 100
  compare: {metric: mean_absolute_error, min_rows: 5}
"""
TRAIN = "from sklearn.linear_model import Ridge\n\n\ndef build(alpha):\n    return Ridge(alpha=alpha)\n"
ROWS = "carat,depth,price\n" + "".join(f"{n / 10},{n % 7},{n}\n" for n in range(100))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """One model, a file of its rows, and no environment of the gates."""
    folder = tmp_path / "models" / "gems"
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text(YAML)
    (folder / "train.py").write_text(TRAIN)
    (tmp_path / "rows.csv").write_text(ROWS)
    return folder.parent


def found(models: Path, variant: str | None = None) -> list[Finding]:
    rows, environments = models.parent / "rows.csv", models.parent / "environments"
    return list(check(CheckRequest(models, "gems", environments, rows, variant)))


def change(file: Path, before: str, after: str) -> None:
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def failed(findings: Sequence[Finding]) -> dict[str, str]:
    return {one.name: one.said for one in findings if one.verdict is Verdict.FAIL}


def test_all_is_looked_at_up_to_the_gates_which_are_named_when_they_cannot_be_asked(models: Path) -> None:
    before = mlflow.get_tracking_uri()
    findings = found(models, "first")
    passed = [one.name for one in findings if one.verdict is Verdict.PASS]
    assert passed == ["model.yaml", "library", "plan 'first'", "rows", "trial fit 'first'", "log 'first'"]
    assert set(failed(findings)) == {"hold-out", "gates 'first'"}
    assert failed(findings)["gates 'first'"].endswith("environments/delivery, found none: scripts/setup delivery")
    assert mlflow.get_tracking_uri() == before


def test_a_hold_out_that_is_not_pinned_is_named_with_the_line_that_pins_it(models: Path) -> None:
    said = failed(found(models))["hold-out"]
    sha256 = said.split("`holdout_sha256: ")[1].split("`")[0]
    change(models / "gems" / "model.yaml", "holdout_sha256: null", f"holdout_sha256: {sha256}")
    assert "hold-out" not in failed(found(models))


@pytest.mark.parametrize(
    ("file", "before", "after", "name", "said"),
    [
        ("gems/model.yaml", "library: sklearn", "library: weka", "library", "expected"),
        ("gems/model.yaml", "task: regression", "task: sorting", "model.yaml", "model.yaml:5: task: "),
        ("gems/model.yaml", "min_rows: 5", "min_rows: 50", "compare", "expected at least 50 hold-out rows"),
        ("gems/model.yaml", "{mean_absolute_error: {max", "{mae: {max", "model.yaml", "mae"),
        ("gems/model.yaml", "second: {alpha: 2.0}", "second: {beta: 2.0}", "plan 'second'", "expected `build` to take"),
        ("gems/train.py", "Ridge(alpha=alpha)", "Ridge", "plan 'first'", "found the class Ridge: return Ridge()"),
        (
            "gems/train.py",
            "alpha=alpha",
            "alpha=-alpha",
            "trial fit 'second'",
            "The 'alpha' parameter of Ridge must be",
        ),
        ("../rows.csv", "1.5,", "one and a half,", "rows", "rows.csv:17: column 'carat': expected a number"),
    ],
    ids=["library", "task", "few rows", "unknown metric", "variant", "class", "fit", "cell"],
)
def test_what_a_later_step_would_refuse_is_found(
    models: Path, file: str, before: str, after: str, name: str, said: str
) -> None:
    change(models / file, before, after)
    assert said in failed(found(models))[name]


def test_the_other_variants_are_looked_at_when_one_is_refused(models: Path) -> None:
    change(models / "gems" / "model.yaml", "first: {alpha: 1.0}", "first: {beta: 1.0}")
    assert [one.name for one in found(models) if one.verdict is Verdict.PASS][2:] == [
        "plan 'second'", "rows", "trial fit 'second'", "log 'second'",
    ]  # fmt: skip


def test_a_variant_that_there_is_not_is_refused_with_those_that_there_are(models: Path) -> None:
    with pytest.raises(Refused, match=r"expected a variant of gems \(first, second\), found 'third'"):
        found(models, "third")

"""A drill is green when each planted candidate stops at the gate that it is expected at, and each good one passes."""

import ast
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.drills.__main__ import chosen, summary
from demo.drills.catalogue import (
    AGAIN,
    DRILLED_MODEL,
    IN_PRODUCTION,
    LIVE,
    LIVE_BY_CODE,
    MODELS,
    PLANTED,
    Plant,
    planted,
)
from demo.drills.declaration import declare, pin, redeclare
from demo.drills.drill import AT_ONCE, Workers
from demo.drills.gates import Outcome, Stop
from demo.drills.production import CHECKS, TakenBack
from demo.drills.production import table as in_table
from demo.drills.table import BEGIN, END, PAGE, table, with_table
from services.contract.errors import Refused
from services.contract.model_config import list_models, load_model_config
from services.contract.verdict import Verdict
from tests.support.paths import MODELS as SHIPPED
from tests.support.paths import ROOT
from tests.support.poll import poll_until

BAD, GOOD = Plant("shuffled", "trained on noise", "thresholds"), Plant("better", "trained for longer")
WARNED = Plant("leaked", "knows too much", redeclared=True)


def stop(gate: str, verdict: Verdict = Verdict.FAIL) -> Stop:
    return Stop(gate, verdict, f"{gate} said no")


def test_every_shipped_model_is_drilled() -> None:
    assert sorted(MODELS) == list_models(SHIPPED)


@pytest.mark.parametrize("model", MODELS)
def test_everything_that_is_listed_for_a_model_can_be_planted(model: str) -> None:
    """Read, because importing it takes the model's library."""
    source = (ROOT / "demo" / "drills" / f"{model.replace('-', '_')}.py").read_text()
    (builders,) = [node.value for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    assert isinstance(builders, ast.Dict)
    assert {key.value for key in builders.keys if isinstance(key, ast.Constant)} == {
        *PLANTED[model],
        *(plant.name for plant in (LIVE_BY_CODE, *IN_PRODUCTION) if model == DRILLED_MODEL),
    } - {AGAIN}


def test_what_is_bad_only_in_production_is_planted_when_it_is_asked_for() -> None:
    names = [plant.name for plant in IN_PRODUCTION]
    assert not {plant.name for plant in planted(DRILLED_MODEL)} & set(names)
    assert [plant.name for plant in planted(DRILLED_MODEL, [LIVE, *names])] == [LIVE, *names]
    assert set(CHECKS) == set(names)


def taken_back(**changes: Any) -> TakenBack:
    why = "2-aaaaaaaa was taken back in its canary of 50%: errors: expected at most 0.2% more, found 3%"
    return replace(TakenBack("misses-some-rows", "canary of 50%", why, 900, 0, 0.4), **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"failed": 1}, False), ({"seconds": 2.1}, False), ({"why": "latency: expected 1, found 2"}, False)],
)
def test_it_is_taken_back_well_for_its_own_reason_soon_and_without_a_failed_request(
    changes: dict[str, Any], expected: bool
) -> None:
    assert taken_back(**changes).as_expected is expected


def test_the_table_says_where_and_why_it_was_taken_back() -> None:
    assert in_table([taken_back()]).splitlines()[-1].startswith("| `misses-some-rows` | canary of 50% | 900")


def test_every_gate_has_something_that_it_is_expected_to_stop() -> None:
    expected = {plant.gate for model in MODELS for plant in planted(model)} - {None}
    assert expected == {
        "hold-out", "signature", "load", "finite", "thresholds", "slices", "leakage", "stability", "robustness",
        "budgets", "latency", "compare", "compare-slices",
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_drilled_with_good_candidates_too(model: str) -> None:
    assert [plant.name for plant in planted(model) if plant.expected == "passes"] == [
        LIVE,
        AGAIN,
        "better",
        "within-noise",
    ]


def test_the_live_one_is_planted_first_whatever_is_chosen() -> None:
    assert [plant.name for plant in planted("diamond-price", ["never-ends"])] == [LIVE, "never-ends"]


def test_a_candidate_that_is_not_planted_is_answered_with_those_that_are() -> None:
    with pytest.raises(Refused, match="expected of language-id one of live, equal, .*; found 'never-ends'"):
        planted("language-id", ["never-ends"])


def test_of_several_models_each_is_drilled_with_the_chosen_ones_that_it_has() -> None:
    assert chosen(MODELS, ["swapped-classes"]) == {
        "language-id": ["swapped-classes"], "flight-delay": ["swapped-classes"],
    }  # fmt: skip
    assert chosen(["diamond-price"], []) == {"diamond-price": []}


@pytest.mark.parametrize(("models", "only"), [(["gems"], []), (["diamond-price"], ["swapped-classes"])])
def test_what_no_chosen_model_has_is_refused(models: list[str], only: list[str]) -> None:
    with pytest.raises(Refused, match="one of .*; found '"):
        chosen(models, only)


@pytest.mark.parametrize(
    ("outcome", "good"),
    [
        (Outcome(BAD, (stop("thresholds"),)), True),
        (Outcome(BAD, (stop("slices"), stop("thresholds", Verdict.INCONCLUSIVE))), True),
        (Outcome(BAD, (stop("load"),)), False),
        (Outcome(BAD), False),
        (Outcome(GOOD), True),
        (Outcome(GOOD, (stop("latency", Verdict.INCONCLUSIVE),)), False),
        (Outcome(WARNED, warnings=("it knows too much",)), True),
        (Outcome(WARNED), False),
    ],
)
def test_a_bad_one_must_stop_at_its_own_gate_a_good_one_nowhere_and_one_may_be_warned_of(
    outcome: Outcome, good: bool
) -> None:
    assert outcome.as_expected is good


def test_the_summary_names_what_slipped_through_what_stopped_elsewhere_and_good_ones_that_stopped() -> None:
    wrong = [Outcome(BAD), Outcome(BAD, (stop("load"),)), Outcome(GOOD, (stop("compare"), stop("slices")))]
    assert summary([*wrong, Outcome(GOOD)]) == (
        "NOT as expected: shuffled (expected: thresholds; found: passes), "
        "shuffled (expected: thresholds; found: load), better (expected: passes; found: compare, slices)"
    )
    assert summary([Outcome(GOOD), Outcome(GOOD)]) == "all 2 candidates as expected"


def test_a_table_has_the_expected_gate_first_and_its_words() -> None:
    outcome = Outcome(BAD, (stop("slices"), stop("thresholds")))
    *_, row = table([outcome]).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert cells == ["`shuffled`: trained on noise", "thresholds", "thresholds, slices", "fail: thresholds said no"]


def test_the_table_in_the_docs_is_of_what_is_planted_with_the_gates_that_are_expected() -> None:
    """After a change: `scripts/drill --model diamond-price | .venv/dev/bin/python -m demo.drills.table`."""
    printed = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in printed.strip().splitlines()[2:]]
    plants = planted("diamond-price")
    assert [row[:2] for row in rows] == [[f"`{plant.name}`: {plant.what}", plant.expected] for plant in plants]


def test_the_printed_table_takes_the_place_of_the_one_in_the_docs() -> None:
    page, printed = f"before\n{BEGIN}| old |\n{END}\nafter\n", "diamond-price\n\n| new |\n| --- |\n"
    wanted = f"before\n{BEGIN}\n| new |\n| --- |\n\n{END}\nafter\n"
    assert with_table(page, printed) == wanted
    assert with_table(wanted, printed) == wanted


@pytest.mark.parametrize("model", MODELS)
def test_what_is_drilled_is_the_shipped_declaration_with_its_hold_out(model: str, tmp_path: Path) -> None:
    declared = load_model_config(declare(tmp_path, model), model)
    shipped = load_model_config(SHIPPED, model)
    assert declared.data == shipped.data
    assert declared.gates.thresholds == shipped.gates.thresholds
    assert declared.gates.compare == shipped.gates.compare
    assert declared.gates.slices


@pytest.mark.parametrize("model", [model for model in MODELS if any(plant.redeclared for plant in planted(model))])
def test_a_leaking_column_is_declared_and_its_hold_out_is_pinned_when_it_is_known(model: str, tmp_path: Path) -> None:
    models = redeclare(tmp_path, model)
    declared, shipped = load_model_config(models, model), load_model_config(SHIPPED, model)
    assert set(declared.data.columns) - set(shipped.data.columns)
    assert declared.data.holdout_sha256 is None
    pin(models, model, "a" * 64)
    assert load_model_config(models, model).data.holdout_sha256 == "a" * 64


def test_own_types_are_declared_by_the_names_that_they_have(tmp_path: Path) -> None:
    models = declare(tmp_path, "diamond-price")
    trusted = yaml.safe_load((models / "diamond-price" / "model.yaml").read_text())["trusted"]
    train_py = (models / "diamond-price" / "train.py").read_text()
    assert trusted
    assert [name for name in trusted if f"\nclass {name.removeprefix('train.')}(" not in train_py] == []


@pytest.mark.process
def test_what_goes_wrong_ends_what_was_started_meanwhile_and_starts_nothing_more() -> None:
    begun: list[str] = []

    def judge(name: str) -> Outcome:
        begun.append(name)
        subprocess.run([sys.executable, "-c", "import signal; signal.pause()"], check=False)
        return Outcome(BAD)

    with pytest.raises(KeyboardInterrupt), Workers() as workers:
        for name in ("a", "b", "c", "d"):
            workers.start(partial(judge, name))
        poll_until(lambda: len(begun) == AT_ONCE, "workers at work")
        raise KeyboardInterrupt
    assert sorted(begun) == ["a", "b"]

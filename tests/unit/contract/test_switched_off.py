"""A gate is switched off in model.yaml with a reason, and some cannot be; what is off is shown and does not count."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.gates import Gates
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.verdict import Check, Verdict, overall, switched_off
from services.delivery.gates.checks import check, switched, undecided

MODEL_YAML = """\
name: toy
description: A toy.
library: sklearn
task: regression
data: {source: nowhere, target: y, columns: {x: double}, holdout_sha256: null}
variants: {only: {}}
gates:
  thresholds: {r2_score: {min: 0}}
  latency_p99_ms: 10
  compare: {metric: mean_absolute_error}
"""
BUSY = "the machine is shared until March"
NAMES = "stability, robustness, thresholds, slices, classes, leakage, budgets, latency, compare, compare-slices"


def gates(folder: Path, off: str) -> Gates:
    (folder / "toy").mkdir()
    (folder / "toy" / "model.yaml").write_text(MODEL_YAML + off)
    return load_model_config(folder, "toy").gates


@pytest.mark.parametrize(
    "off",
    [
        f"  off: {{latency: {{reason: {BUSY}}}}}\n",
        f"  off:\n    latency:\n      reason: {BUSY}\n",
        f'  "off": {{latency: {{reason: "  {BUSY} "}}}}\n',
    ],
    ids=["flow", "block", "quoted"],
)
def test_off_is_a_name_and_not_the_false_of_yaml(tmp_path: Path, off: str) -> None:
    found = gates(tmp_path, off)
    assert (found.reason_off("latency"), found.reason_off("thresholds")) == (BUSY, None)


@pytest.mark.parametrize(
    ("off", "said"),
    [
        ("{latency: {}}", "11: gates.off: latency: expected {reason: …} of 10 letters or more, found None"),
        ("{latency: slow}", "11: gates.off: latency: expected {reason: …} of 10 letters or more, found 'slow'"),
        ("{latency: }", "11: gates.off: latency: expected {reason: …} of 10 letters or more, found None"),
        ("{latency: {reason: '    slow    '}}", "11: gates.off: latency: expected {reason: …} of 10 letters or more"),
        ("{latency: {reason: 12345678901}}", "expected {reason: …} of 10 letters or more, found 12345678901"),
        ("{latency: {reason: it is slow here, until: May}}", "11: gates.off.latency.until: Extra inputs"),
        (f"{{hold-out: {{reason: {BUSY}}}}}", f"11: gates.off: hold-out: expected one of {NAMES}, found another"),
        (f"{{latencies: {{reason: {BUSY}}}}}", f"11: gates.off: latencies: expected one of {NAMES}, found another"),
        ("[latency]", "11: gates.off: expected {gate: {reason: …}}, found ['latency']: say of each gate why it is off"),
        ("latency", "11: gates.off: expected {gate: {reason: …}}, found 'latency': say of each gate why it is off"),
        ("", "11: gates.off: expected {gate: {reason: …}}, found None: say of each gate why it is off"),
    ],
)
def test_a_gate_is_off_for_a_reason_and_only_one_that_can_be(tmp_path: Path, off: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        gates(tmp_path, f"  off: {off}\n")
    assert said in str(refused.value)


def test_each_wrong_gate_is_named_with_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"model.yaml:13: gates.off: signature: expected one of stability"):
        gates(tmp_path, f"  off:\n    latency: {{reason: {BUSY}}}\n    signature: {{reason: {BUSY}}}\n")


def test_the_schema_asks_for_the_reason_and_lists_what_can_be_off() -> None:
    schema = ModelConfig.model_json_schema()["$defs"]
    assert schema["Off"]["required"] == ["reason"]
    assert schema["Off"]["properties"]["reason"]["minLength"] == 10
    assert ", ".join(schema["Gates"]["properties"]["off"]["propertyNames"]["enum"]) == NAMES


def found(folder: Path, *checks: Check) -> tuple[Check, ...]:
    return switched(checks, gates(folder, f"  off: {{latency: {{reason: {BUSY}}}}}\n"))


def test_what_is_off_is_shown_with_its_reason_and_decides_nothing(tmp_path: Path) -> None:
    latency, load = found(tmp_path, check("latency", False, "p99 ≤ 10 ms", "p99 90 ms"), check("load", True, "", ""))
    assert (latency.verdict, latency.off, latency.stops) == (Verdict.FAIL, BUSY, False)
    assert (load.off, overall([latency, load])) == (None, Verdict.PASS)
    assert switched_off([latency, load, latency]) == f"switched off: latency ({BUSY})"
    assert switched_off([load]) == ""


def test_a_stage_whose_gates_are_all_off_passes_and_one_without_any_check_proves_nothing(tmp_path: Path) -> None:
    assert overall(found(tmp_path, undecided("latency", "p99 ≤ 10 ms", "busy"))) is Verdict.PASS
    assert overall([]) is Verdict.INCONCLUSIVE

"""Records, golden examples and digests: what two processes must agree on to the byte."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.contract import names
from services.contract.deployment import Action, Deployment, DeployRequest
from services.contract.digest import digest_directory, verify_directory
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion, TagValue, event_id, reason_for
from services.contract.record import write_atomically
from services.contract.release import Release
from services.contract.verdict import Check, Verdict, overall
from tests.support.paths import ROOT
from tests.support.release_factory import WHEN, build_release

EXAMPLES = ROOT / "services" / "contract" / "examples"
MODEL_YAML = """\
name: toy
description: A toy.
library: sklearn
task: regression
data:
  source: nowhere
  target: y
  columns: {x: double}
  holdout_sha256: null
variants:
  only: {}
gates:
  thresholds: {r2_score: {min: 0}}
  latency_p99_ms: 10
  compare: {metric: mean_absolute_error}
"""


def example(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text())


def config_error(tmp_path: Path, old: str, new: str) -> str:
    assert old in MODEL_YAML
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "model.yaml").write_text(MODEL_YAML.replace(old, new))
    with pytest.raises(Refused) as refused:
        load_model_config(tmp_path, "toy")
    return str(refused.value)


@pytest.mark.parametrize("case", example("reasons.json"), ids=lambda case: case["why"])
def test_a_reason_is_marked_with_the_promotion_that_it_was_written_for(case: dict[str, Any]) -> None:
    value = TagValue.parse(case["value"])
    ours = value is not None and reason_for(value, case["reason"]) == case["for"]
    assert ours == (case["why"] == "as trackback promote writes it")


@pytest.mark.parametrize("case", example("tag_values.json"), ids=lambda case: repr(case["value"]))
def test_a_tag_value_is_read_as_the_golden_example_says(case: dict[str, Any]) -> None:
    value = TagValue.parse(case["value"])
    if case["written"] is None:
        assert value is None
    else:
        assert value is not None
        assert (value.sequence, value.who) == (case["written"]["sequence"], case["written"]["who"])
        assert str(value) == case["value"]


@pytest.mark.parametrize("case", example("events.json"), ids=lambda case: repr(case["value"]))
def test_an_event_has_the_identity_that_the_golden_example_says(case: dict[str, Any]) -> None:
    assert event_id(case["run_id"], case["value"]) == case["event"]


def test_what_the_plugin_exports_is_read_as_a_promotion() -> None:
    revision = example("revision.json")["revision"]
    variables = {names.PACKAGE_PREFIX + key: value for key, value in revision["data"].items()}
    variables |= {names.PACKAGE_PREFIX + "LABEL": revision["revision"], names.PACKAGE_PREFIX + "TAG": "promote"}
    promotion = Promotion.from_environment(variables)
    assert (promotion.model, promotion.number, promotion.promoted_by) == ("diamond-price", 2, "ada")
    assert promotion.reason == "lower error on large stones"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("RUN_ID", "$(reboot)"), ("MODEL_ID", "m-1/../.."), ("LABEL", "latest"), ("MODEL", "../etc"), ("RUN_STATUS", "")],
)
def test_a_variable_of_another_form_is_refused_by_name(variable: str, value: str) -> None:
    revision = example("revision.json")["revision"]
    variables = {names.PACKAGE_PREFIX + key: text for key, text in revision["data"].items()}
    variables |= {names.PACKAGE_PREFIX + "LABEL": revision["revision"], names.PACKAGE_PREFIX + variable: value}
    with pytest.raises(Refused, match=f"expected {names.PACKAGE_PREFIX}{variable} "):
        Promotion.from_environment(variables)


def test_a_release_survives_the_way_through_json(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    release.write(tmp_path / "release.json")
    assert Release.read(tmp_path / "release.json") == release


def test_equal_records_have_equal_bytes(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    assert Release.from_json(release.to_json()).to_json() == release.to_json()


def test_a_record_with_an_unknown_field_is_refused_by_name() -> None:
    text = Deployment(
        model="toy",
        revision="1-aaaaaaaa",
        release="0" * 64,
        run_id="a" * 32,
        action=Action.DEPLOY,
        at=WHEN,
        by="ada",
        reason="",
    ).to_json()
    with pytest.raises(Refused, match=r"somewhere is not a Deployment: whom: Extra inputs"):
        Deployment.from_json(text.replace('"by"', '"whom": "ada", "by"'), "somewhere")


def test_journals_and_requests_that_are_older_than_a_field_are_read() -> None:
    shared = {"release": "0" * 64, "by": "ada"}
    when = {"action": "deploy", "at": "2026-01-02T03:04:05Z", "reason": ""}
    journal = {**shared, **when, "model": "toy", "revision": "1-aaaaaaaa", "run_id": "a" * 32}
    assert Deployment.from_json(json.dumps(journal)).model_id is None
    assert DeployRequest.from_json(json.dumps(shared)).in_place_of is None


def test_a_record_that_is_not_there_is_refused_by_path(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no.json: expected a Release, cannot read it: No such file"):
        Release.read(tmp_path / "no.json")


def test_a_failed_write_leaves_the_old_content_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]  # the failure that is wanted
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("state.json", b"old")]


def test_the_worst_check_decides_and_no_check_proves_nothing() -> None:
    def verdict(*found: Verdict) -> Verdict:
        return overall(Check(name="any", verdict=one, expected="", found="") for one in found)

    assert verdict() is Verdict.INCONCLUSIVE
    assert verdict(Verdict.PASS, Verdict.PASS) is Verdict.PASS
    assert verdict(Verdict.PASS, Verdict.INCONCLUSIVE) is Verdict.INCONCLUSIVE
    assert verdict(Verdict.INCONCLUSIVE, Verdict.FAIL) is Verdict.FAIL


def folder_with_two_files(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights").write_bytes(b"\0\1")
    return folder


def test_a_digest_is_the_sha256_of_the_lines_that_the_design_writes_down(tmp_path: Path) -> None:
    # With coreutils: printf 'MLmodel\00012\000%s\ndata/weights\0002\000%s\n' $(both files' sha256sum) | sha256sum
    expected = "7089b6b8450874a3b679d7f48d0ea733b0efee3284491fb2b062d3a8a8c2844e"
    assert digest_directory(folder_with_two_files(tmp_path)) == expected


@pytest.mark.parametrize("change", ["flip", "rename", "extra", "missing"])
def test_every_change_of_a_folder_changes_its_digest(tmp_path: Path, change: str) -> None:
    folder = folder_with_two_files(tmp_path)
    before = digest_directory(folder)
    weights = folder / "data" / "weights"
    match change:
        case "flip":
            weights.write_bytes(b"\0\3")
        case "rename":
            weights.rename(folder / "data" / "Weights")
        case "extra":
            (folder / "extra").write_bytes(b"")
        case "missing":
            weights.unlink()
    with pytest.raises(Refused, match=f"expected digest {before[:12]}…, found"):
        verify_directory(folder, before)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_device_in_a_folder_is_refused(tmp_path: Path, kind: str) -> None:
    folder = folder_with_two_files(tmp_path)
    if kind == "link":
        (folder / "odd").symlink_to("/etc/passwd")
    else:
        os.mkfifo(folder / "odd")
    with pytest.raises(Refused, match="odd: expected plain files and folders only"):
        digest_directory(folder)


def test_an_empty_or_absent_folder_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="expected files, found an empty folder"):
        digest_directory(tmp_path)
    with pytest.raises(Refused, match="expected a folder, found none"):
        digest_directory(tmp_path / "absent")


def test_a_wrong_field_of_model_yaml_is_named_with_file_and_line(tmp_path: Path) -> None:
    error = config_error(tmp_path, "latency_p99_ms: 10", "latency_p99_ms: quick")
    assert "toy/model.yaml:14: gates.latency_p99_ms: " in error


def test_an_unknown_field_of_model_yaml_is_named_with_file_and_line(tmp_path: Path) -> None:
    error = config_error(tmp_path, "  target: y\n", "  target: y\n  tarket: y\n")
    assert "toy/model.yaml:8: data.tarket: Extra inputs are not permitted" in error


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("float", "declare double"),
        ("integer", "declare long"),
        ("binary", "in Base64"),
        ("array", "a column an element"),
    ],
)
def test_a_type_of_mlflows_that_no_library_takes_is_refused_with_what_to_declare(
    kind: str, instead: str, tmp_path: Path
) -> None:
    error = config_error(tmp_path, "columns: {x: double}", f"columns: {{x: {kind}}}")
    assert "column 'x': expected double, long, string, boolean, date, datetime: declare " in error
    assert instead in error


def test_a_threshold_without_bounds_is_refused(tmp_path: Path) -> None:
    assert "expected min, max or both" in config_error(tmp_path, "{r2_score: {min: 0}}", "{r2_score: {}}")


def test_broken_yaml_is_named_with_file_and_line(tmp_path: Path) -> None:
    assert "toy/model.yaml:9: not YAML: " in config_error(tmp_path, "  columns: {x: double}", "  columns: {x: double")


def test_a_model_that_is_not_called_like_its_folder_is_refused(tmp_path: Path) -> None:
    assert "expected 'toy' like its folder, found 'toys'" in config_error(tmp_path, "name: toy", "name: toys")


def test_an_unknown_model_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "model.yaml").write_text(MODEL_YAML)
    with pytest.raises(Refused, match="found no 'toi': known models are toy"):
        load_model_config(tmp_path, "toi")

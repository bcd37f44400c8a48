"""The command line as a person meets it: help with an example for each verb, one line for what is refused."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import training.cli
from services.contract.errors import Refused
from services.delivery.cli import VERBS, build
from tests.support.paths import ROOT

pytestmark = pytest.mark.process


def training_app(_: list[str]) -> typer.Typer:
    return training.cli.app


APPS: dict[str, Callable[[list[str]], typer.Typer]] = {"services.delivery": build, "training": training_app}


def run(module: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """As a person runs it: a process of its own, with its exit code and what it prints."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/", **variables}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def shown(module: str, *arguments: str) -> str:
    """What a command that ends well prints."""
    app = APPS[module](list(arguments))
    done = CliRunner().invoke(app, arguments, prog_name="trackback", env={"COLUMNS": "200"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*arguments: str) -> str:
    """What a verb is refused with, in its own process one line on stderr."""
    with pytest.raises(Refused) as refusal:
        CliRunner().invoke(build(list(arguments)), arguments, catch_exceptions=False)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.fixture(autouse=True)
def no_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are the defaults, whatever runs from this checkout."""
    monkeypatch.setenv("TRACKBACK_STATE", str(tmp_path))


@pytest.mark.parametrize(
    ("module", "verb"),
    [
        *(("services.delivery", verb) for verb in VERBS),
        ("training", "train"),
        ("training", "schema"),
        ("training", "notebook"),
        ("training", "reproduce"),
        ("training", "verify-data"),
    ],
)
def test_every_verb_has_help_with_an_example(module: str, verb: str) -> None:
    text = shown(module, verb, "--help")
    assert f"Usage: trackback {verb}" in text
    assert f"Example: trackback {verb}" in " ".join(text.split())


def test_help_names_every_verb() -> None:
    text = shown("services.delivery", "--help")
    assert all(f" {verb} " in text for verb in VERBS)
    assert "trackback train" in text


def test_what_is_refused_is_one_line_on_stderr_and_exit_1(tmp_path: Path) -> None:
    done = run("services.delivery", "validate", "--candidate", str(tmp_path / "no.json"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path}/no.json: expected a Candidate, cannot read it: No such file or directory\n"


@pytest.mark.parametrize("verb", ["validate", "compare"])
def test_a_missing_file_is_named(verb: str, tmp_path: Path) -> None:
    path = str(tmp_path / "no.json")
    assert refused(verb, "--candidate", path) == (
        f"{path}: expected a Candidate, cannot read it: No such file or directory"
    )


def test_fetch_outside_of_a_pipeline_says_which_variable_is_missing() -> None:
    assert refused("fetch").startswith("expected GO_PACKAGE_MODEL_MODEL of a promoted run, found 'none': ")


def test_a_run_id_of_another_form_is_refused_before_mlflow_is_asked() -> None:
    assert refused("promote", "diamond-price", "--run", "yesterday", "--reason", "x") == (
        "expected a run id of 32 hex digits, found 'yesterday': copy it from the run's page in MLflow"
    )


def test_a_rollout_service_that_is_down_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_ROLLOUT_URL", "http://127.0.0.1:9")
    assert refused("trace", "diamond-price").startswith(
        "expected the rollout service at http://127.0.0.1:9, cannot reach it ("
    )


def test_an_mlflow_that_is_down_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Were it asked again and again, as MLflow's client does by itself for four minutes, this would not come back.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert refused("promote", "diamond-price", "--run", "a" * 32, "--reason", "x").startswith(
        "expected MLflow at http://127.0.0.1:9, cannot reach it ("
    )


def test_a_training_job_names_an_mlflow_that_is_down_at_once_on_one_line() -> None:
    done = run("training", "train", "diamond-price", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("expected MLflow at http://127.0.0.1:9, cannot reach it (")
    assert done.stderr.count("\n") == 1


def test_the_schema_of_model_yaml_is_printed_as_json() -> None:
    schema = json.loads(shown("training", "schema"))
    assert {"name", "data", "gates", "variants"} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["status"], "delivery"),
        (["schema"], "training"),
        (["train", "diamond-price"], "training"),
        (["train", "flight-delay"], "spark"),
        (["train", "no-such-model"], "training"),
    ],
)
def test_a_verb_sets_up_its_environment_when_there_is_none(
    tmp_path: Path, arguments: list[str], environment: str
) -> None:
    for folder in ("scripts", "requirements", "training/models"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "scripts" / "setup").write_text("#!/bin/sh\necho set up $1\nexit 7\n")
    done = subprocess.run([tmp_path / "scripts" / "trackback", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, f"set up {environment}\n")

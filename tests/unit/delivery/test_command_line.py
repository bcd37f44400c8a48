"""The command line as a person meets it: help with an example for each verb, one line for what is refused."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.delivery.cli import VERBS
from tests.support.paths import ROOT

pytestmark = pytest.mark.process


def run(module: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200", "HOME": "/", **variables}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("module", "verb"),
    [
        *(("services.delivery", verb) for verb in VERBS),
        ("training", "train"),
        ("training", "schema"),
        ("training", "verify-data"),
    ],
)
def test_every_verb_has_help_with_an_example(module: str, verb: str) -> None:
    done = run(module, verb, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: trackback {verb}" in done.stdout
    assert f"Example: trackback {verb}" in " ".join(done.stdout.split())


def test_help_names_every_verb() -> None:
    shown = run("services.delivery", "--help").stdout
    assert all(f" {verb} " in shown for verb in VERBS)
    assert "trackback train" in shown


@pytest.mark.parametrize("verb", ["validate", "compare"])
def test_a_missing_file_is_one_line_and_exit_1(verb: str, tmp_path: Path) -> None:
    done = run("services.delivery", verb, "--candidate", str(tmp_path / "no.json"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path}/no.json: expected a Candidate, cannot read it: No such file or directory\n"


def test_fetch_outside_of_a_pipeline_says_which_variable_is_missing() -> None:
    done = run("services.delivery", "fetch")
    assert done.returncode == 1
    assert done.stderr.startswith("expected GO_PACKAGE_MODEL_MODEL of a promoted run, found 'none': ")
    assert done.stderr.count("\n") == 1


def test_a_run_id_of_another_form_is_refused_before_mlflow_is_asked() -> None:
    done = run("services.delivery", "promote", "diamond-price", "--run", "yesterday", "--reason", "x")
    assert done.returncode == 1
    assert done.stderr == (
        "expected a run id of 32 hex digits, found 'yesterday': copy it from the run's page in MLflow\n"
    )


def test_a_rollout_service_that_is_down_is_named_with_its_address() -> None:
    done = run("services.delivery", "trace", "diamond-price", TRACKBACK_ROLLOUT_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("expected the rollout service at http://127.0.0.1:9, cannot reach it (")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("training", ("train", "diamond-price")),
        ("services.delivery", ("promote", "diamond-price", "--run", "a" * 32, "--reason", "x")),
    ],
)
def test_an_mlflow_that_is_down_is_named_at_once(module: str, arguments: tuple[str, ...]) -> None:
    # Were it asked again and again, as MLflow's client does by itself for four minutes, this would not come back.
    done = run(module, *arguments, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("expected MLflow at http://127.0.0.1:9, cannot reach it (")


def test_the_schema_of_model_yaml_is_printed_as_json() -> None:
    import json

    schema = json.loads(run("training", "schema").stdout)
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

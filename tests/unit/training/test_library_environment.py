"""What needs a library goes on in that library's environment, wherever the environments are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from training.settings import Settings

pytestmark = pytest.mark.process

CODE = """
import sys
from pathlib import Path
from training.library_environment import enter
enter("spark", Path(sys.argv[2]))
print("stayed")
"""


def entered(environments: Path, python: str = sys.executable) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [python, "-c", CODE, "verify-data", str(environments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    python = tmp_path / "spark" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho entered with "$@"\n')
    python.chmod(0o755)
    return tmp_path


def test_the_same_command_goes_on_in_the_environment_of_the_library(environments: Path) -> None:
    assert entered(environments) == f"entered with -P -m training verify-data {environments}\n"


def test_a_command_without_such_an_environment_stays_where_it_is(tmp_path: Path) -> None:
    assert entered(tmp_path) == "stayed\n"


def test_a_command_that_is_there_already_stays_by_whatever_path_it_came(tmp_path: Path) -> None:
    (tmp_path / "spark").symlink_to(sys.prefix)
    assert entered(tmp_path, str(Path(sys.prefix) / "bin" / "python")) == "stayed\n"


def test_the_environments_are_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_ENVIRONMENTS", "/opt/trackback/.venv")
    assert Settings().trackback_environments == Path("/opt/trackback/.venv")


def test_mlflow_is_the_one_of_the_platform_whose_state_the_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "platform.env").write_text("MLFLOW_TRACKING_URI=http://127.0.0.1:5999\nTRACKBACK_GOCD_TOKEN_FILE=a\n")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TRACKBACK_STATE", str(tmp_path))
    assert Settings().mlflow_tracking_uri == "http://127.0.0.1:5999"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5001")
    assert Settings().mlflow_tracking_uri == "http://127.0.0.1:5001"

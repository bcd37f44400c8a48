"""Each shipped model is trained twice by the commands that people use, the second time from what the first recorded."""

import json
import os
import subprocess

import pytest

from tests.support.paths import MODELS, ROOT

TRACKBACK = ROOT / "scripts" / "trackback"


def trackback(mlflow_url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow_url}
    return subprocess.run([TRACKBACK, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.needs("spark")
@pytest.mark.parametrize("model", sorted(path.name for path in MODELS.iterdir() if (path / "model.yaml").is_file()))
def test_a_shipped_model_is_reproduced(mlflow_url: str, model: str) -> None:
    trained = trackback(mlflow_url, "train", model)
    assert trained.returncode == 0, trained.stderr
    again = trackback(mlflow_url, "reproduce", json.loads(trained.stdout)["run_id"])
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines()[-1] == "reproduced"

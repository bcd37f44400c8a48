"""The tracking server of the compose stack: its secrets are in variables, and a store that is not there is named."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.mlflow import container, stores


def test_no_secret_is_an_argument_of_the_server() -> None:
    variables = container.variables_of({"PATH": "/bin"}, "p@ss/word", "access", "hidden")
    assert variables["MLFLOW_BACKEND_STORE_URI"] == "postgresql+psycopg://mlflow:p%40ss%2Fword@postgres:5432/mlflow"
    assert variables["AWS_SECRET_ACCESS_KEY"] == "hidden"
    words = " ".join(container.command(variables))
    assert "--artifacts-destination s3://mlflow" in words
    assert "--workers 1" in words
    assert not any(part in words for part in ("p@ss", "p%40ss", "hidden"))


def test_another_store_and_database_are_a_variable_away() -> None:
    own = {
        "MLFLOW_S3_ENDPOINT_URL": "https://s3.example.org",
        "TRACKBACK_BUCKET": "models",
        "TRACKBACK_DATABASE": "db:6",
    }
    variables = container.variables_of(own, "p", "a", "s")
    assert variables["MLFLOW_S3_ENDPOINT_URL"] == "https://s3.example.org"
    assert variables["MLFLOW_BACKEND_STORE_URI"].endswith("@db:6/mlflow")
    assert "s3://models" in container.command(variables)


def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SystemExit, match="postgres-password: expected a secret of the service 'secrets', cannot read it: No such"
    ):
        container.main(tmp_path)
    with pytest.raises(
        SystemExit, match="postgres-password: expected a secret of the service 'secrets', cannot read it: No such"
    ):
        stores.main(tmp_path)


def test_an_object_store_that_does_not_answer_is_named() -> None:
    variables = container.variables_of({"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1"}, "p", "a", "s")
    with pytest.raises(Refused, match="expected the object store at http://127.0.0.1:1 to hold the bucket 'mlflow'"):
        stores.make_bucket(variables)

"""Every wrapped error keeps its cause, and a full disk is not MLflow's fault."""

import errno
import os
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

from services.contract.errors import Refused, disk_problem, jvm_reason, reason
from services.delivery.clients.registry import Registry
from tests.support.web_receiver import Receiver, receiving
from training.tracking import expecting

FULL = f"[Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '/store/model'"
FAILURES = (
    f"The following failures occurred while downloading one or more artifacts from m-1:\n##### File a #####\n{FULL}"
)


def nested() -> Exception:
    try:
        try:
            raise OSError(errno.ECONNREFUSED, "Connection refused")
        except OSError as error:
            raise MlflowException("cannot reach it\nat all") from error
    except MlflowException as error:
        return error


def test_a_reason_is_one_line_with_every_cause_once() -> None:
    assert reason(nested()) == f"cannot reach it at all: [Errno {errno.ECONNREFUSED}] Connection refused"
    assert reason(ValueError()) == "ValueError"


def test_a_long_reason_keeps_its_end_where_the_cause_is() -> None:
    said = reason(MlflowException("x" * 5000 + FULL))
    assert said.endswith(FULL)
    assert len(said) < 500


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OSError(errno.ENOSPC, "whatever"), "No space left on device"),
        (MlflowException(FAILURES), "No space left on device"),
        (OSError(errno.EROFS, "whatever"), "Read-only file system"),
        (nested(), None),
        (MlflowException("not found"), None),
    ],
)
def test_the_disk_is_blamed_for_its_own_errors_only(error: Exception, problem: str | None) -> None:
    assert disk_problem(error) == problem


def test_a_download_onto_a_full_disk_names_the_disk_and_not_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise MlflowException(FAILURES)

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", full)
    model = b'{"model": {"info": {"artifact_uri": "s3://mlflow/1/models/m-1"}}}'
    with (
        receiving(Receiver(lambda *_: (200, model))) as server,
        Registry(server.url) as registry,
        pytest.raises(Refused) as refusal,
    ):
        registry.download_model("m-1", tmp_path)
    assert str(refusal.value) == (
        f"expected to write models:/m-1 into {tmp_path}, found: No space left on device: make room there"
    )


def test_whatever_a_stores_own_library_raises_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCredentialsError(Exception):
        """As botocore's, which has no base of Python's but this."""

    def nobody(**_: object) -> str:
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", nobody)
    model = b'{"model": {"info": {"artifact_uri": "s3://mlflow/1/models/m-1"}}}'
    with (
        receiving(Receiver(lambda *_: (200, model))) as server,
        Registry(server.url) as registry,
        pytest.raises(Refused, match="found: the artifact store: Unable to locate credentials"),
    ):
        registry.download_model("m-1", tmp_path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MlflowException("gone"), "expected to log a run in MLflow at http://host:1, found: gone"),
        (
            MlflowException("API request to http://me:secret@host:1/api: too many 500 error responses"),
            "expected to log a run in MLflow at http://host:1, found: API request to http://host:1/api: too many 500 "
            "error responses: the server's log says why",
        ),
        (requests.HTTPError("413 Error"), "expected to log a run in MLflow at http://host:1, found: 413 Error"),
        (
            OSError(errno.ENOSPC, "No space left on device", "cells.py", None, "/full/cells.py"),
            "expected to log a run, found at /full/cells.py on this machine: No space left on device: make room or "
            "correct its rights",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/closed"),
            "expected to log a run, found at /closed on this machine: Permission denied: make room or correct "
            "its rights",
        ),
    ],
)  # fmt: skip
def test_training_tells_an_error_of_mlflow_from_one_of_this_machine(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "http://me:secret@host:1")
    with pytest.raises(Refused) as refused, expecting("to log a run"):
        raise error
    assert str(refused.value).replace("me:secret@", "SHOWN@") == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("An error occurred.\n: java.io.IOException: no file\n\tat a.b\nCaused by: disk\n\tat c.d", "Caused by: disk"),
        ("An error occurred.\n: java.io.IOException: no file\n\tat a.b", "java.io.IOException: no file"),
        ("no gateway\nfor Java", "no gateway"),
        ("", "RuntimeError"),
    ],
)
def test_of_a_stack_trace_of_the_jvm_the_last_cause_is_told(text: str, words: str) -> None:
    assert jvm_reason(RuntimeError(text)) == words

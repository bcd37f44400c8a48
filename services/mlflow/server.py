"""How MLflow's server is started: one worker, no job runner, no telemetry, on the loopback address only."""

import sys
from collections.abc import Mapping
from pathlib import Path

ADDRESS = "127.0.0.1"
# MLflow's own list has patterns such as 10.*, which 10.evil.example fits as well.
HOSTS = "localhost:*,127.0.0.1:*"
# Its access log is a line for each poll, hundreds a minute.
QUIET = ("--uvicorn-opts", "--no-access-log")


def command(folder: Path, port: int) -> list[str]:
    """Database and artifacts are below `folder`; clients reach artifacts through the server."""
    listen = ["--host", ADDRESS, "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    stores += ["--artifacts-destination", str(folder / "artifacts")]
    return [sys.executable, "-m", "mlflow", "server", *listen, *QUIET, *stores]


def environment(inherited: Mapping[str, str], hosts: str = HOSTS) -> dict[str, str]:
    """`hosts` are patterns of the names under which it answers, if those inherited do not say.

    Without the job runner there are 2 processes in place of 16, and nothing here uses its jobs."""
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": hosts,
        **inherited,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_MODEL_CATALOG_URI": "",
    }

"""`python -m services.mlflow.container`: MLflow's server on Postgres and an object store, in this process' place."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from services.contract.errors import Refused
from services.contract.secret_file import read_secret
from services.mlflow.server import HOSTS, QUIET, environment

SECRETS = Path("/secrets/mlflow")
DATABASE = "postgresql+psycopg://mlflow:{password}@{host}/mlflow"
PORT = 5000


def main(secrets: Path = SECRETS) -> None:
    try:
        variables = read_variables(secrets)
    except Refused as refused:
        sys.exit(str(refused))
    os.execve(sys.executable, command(variables), variables)  # noqa: S606  a server, not a shell


def command(variables: Mapping[str, str]) -> list[str]:
    """Nothing secret is an argument, because others may read those."""
    listen = ["--host", "0.0.0.0", "--port", str(PORT), "--workers", "1"]
    stores = ["--artifacts-destination", f"s3://{variables['TRACKBACK_BUCKET']}"]
    return [sys.executable, "-m", "mlflow", "server", *listen, *QUIET, *stores]


def read_variables(secrets: Path) -> dict[str, str]:
    found = (
        read_secret(secrets / name, "a secret of the service 'secrets'")
        for name in ("postgres-password", "s3-access-key", "s3-secret-key")
    )
    return variables_of(os.environ, *found)


def variables_of(inherited: Mapping[str, str], password: str, access: str, secret: str) -> dict[str, str]:
    return {
        "TRACKBACK_BUCKET": "mlflow",
        "MLFLOW_S3_ENDPOINT_URL": "http://object-store:7070",
        **environment(inherited, f"mlflow:*,{HOSTS}"),
        "MLFLOW_BACKEND_STORE_URI": DATABASE.format(
            password=quote(password, safe=""), host=inherited.get("TRACKBACK_DATABASE", "postgres:5432")
        ),
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": inherited.get("AWS_DEFAULT_REGION", "us-east-1"),
    }


if __name__ == "__main__":
    main()

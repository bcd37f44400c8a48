"""`python -m services.mlflow.stores`: makes the bucket, and sees that MLflow's secrets open both of its stores."""

import sys
from collections.abc import Mapping
from pathlib import Path

from services.contract.errors import Refused
from services.mlflow.container import SECRETS, read_variables

ADVICE = "docs/security.md, 'Secrets', says how one is changed"


def main(secrets: Path = SECRETS) -> None:
    try:
        variables = read_variables(secrets)
        open_database(variables)
        make_bucket(variables)
    except Refused as refused:
        sys.exit(str(refused))


def open_database(variables: Mapping[str, str]) -> None:
    """Raises Refused when Postgres does not answer, or does not take the password."""
    import psycopg  # only the image of this service has it

    address = variables["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg", "", 1)
    try:
        psycopg.connect(address, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        place, said = address.rpartition("@")[2], str(error).strip().splitlines()[-1]
        raise Refused(f"expected postgres-password to open {place}: {said}: {ADVICE}") from error


def make_bucket(variables: Mapping[str, str]) -> None:
    """Raises Refused when the object store does not answer, or says no."""
    import boto3  # only the image of this service has it
    from botocore.exceptions import BotoCoreError, ClientError

    endpoint, bucket = variables["MLFLOW_S3_ENDPOINT_URL"], variables["TRACKBACK_BUCKET"]
    keys = {name.lower(): variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    client = boto3.client("s3", endpoint_url=endpoint, region_name=variables["AWS_DEFAULT_REGION"], **keys)
    try:
        if bucket not in {known["Name"] for known in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"expected the object store at {endpoint} to hold the bucket '{bucket}': {error}: {ADVICE}"
        ) from error


if __name__ == "__main__":
    main()

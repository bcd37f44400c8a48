"""A run's data sets, as MLflow is given them."""

import json

from services.contract.candidate import DataDigest, DataSchema, Provenance
from training.mlflow_inputs import mlflow_dataset

DIGEST = DataDigest(sha256="1" * 64, rows=4, source="made up")
TYPES = ("double", "long", "string", "boolean", "date", "datetime")


def test_a_data_set_names_every_type_of_column_as_mlflow_does() -> None:
    schema = DataSchema(
        columns={**{kind: kind for kind in TYPES}, **{f"optional {kind}": kind for kind in TYPES}},
        optional=tuple(f"optional {kind}" for kind in TYPES),
        target="price",
        target_type="double",
        split_by=None,
        holdout_percent=20,
    )
    logged = mlflow_dataset(DIGEST, Provenance(holdout=DIGEST, data_schema=schema))
    found = {column["name"]: column["type"] for column in json.loads(str(logged.schema))["mlflow_colspec"]}
    assert found == {
        "double": "double", "long": "long", "string": "string", "boolean": "boolean",
        "date": "datetime", "datetime": "datetime",
        "optional double": "double", "optional long": "double", "optional string": "string",
        "optional boolean": "double", "optional date": "datetime", "optional datetime": "datetime",
        "price": "double",
    }  # fmt: skip

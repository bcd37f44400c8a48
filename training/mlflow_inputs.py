"""A run's data sets as MLflow shows them on its page, and as its metrics name them."""

import json

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from services.contract.candidate import DataDigest, Provenance, SourcesDigest
from services.contract.cells import model_type
from services.contract.release import Column

TRAINING, HOLDOUT = "training", "holdout"
# MLflow takes no longer digest; the profile has the whole.
_DIGEST = 36


def inputs(provenance: Provenance) -> list[DatasetInput]:
    """Training set and hold-out, with what each is for."""
    sides = {TRAINING: provenance.training, HOLDOUT: provenance.holdout}
    return [
        DatasetInput(mlflow_dataset(digest, provenance), [InputTag(MLFLOW_DATASET_CONTEXT, side)])
        for side, digest in sides.items()
        if digest
    ]


def mlflow_dataset(digest: DataDigest, provenance: Provenance) -> Dataset:
    return Dataset(
        name=digest.source,
        digest=digest.sha256[:_DIGEST],
        source_type=_source_type(provenance.sources),
        source=provenance.sources.model_dump_json() if provenance.sources else json.dumps({"name": digest.source}),
        schema=json.dumps({"mlflow_colspec": _schema(provenance).to_dict()}),
        profile=json.dumps({"num_rows": digest.rows, "sha256": digest.sha256}),
    )


def _source_type(sources: SourcesDigest | None) -> str:
    if sources is None:
        return "frame"
    return "packages" if sources.packages else "file"


def _schema(provenance: Provenance) -> Schema:
    """As in the model's signature: MLflow does not know all declared types, such as `date`."""
    declared = provenance.data_schema
    inputs = [
        Column(name=name, type=kind, required=name not in declared.optional) for name, kind in declared.columns.items()
    ]
    columns = [ColSpec(model_type(column), column.name, required=column.required) for column in inputs]
    return Schema([*columns, ColSpec(declared.target_type, declared.target)])

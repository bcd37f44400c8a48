"""What the protocol's answers hold, for the description of the interface."""

from typing import Any

from pydantic import ConfigDict

from services.contract.record import Record
from services.contract.release import Column, Manifest
from services.prediction.content_type import JSON
from services.prediction.open_inference.answers import output_types
from services.prediction.open_inference.datatypes import BOOL, BYTES, FP64, INT64
from services.prediction.request_schema import cell

_ROWS = (
    "Tensors of one row. For n rows each has the shape [n] or [n, 1]. They may come in any order and in any datatype "
    "that the column takes, or be one tensor of all columns, of the shape [n, columns]."
)
_DATATYPES = {"double": FP64, "long": INT64, "boolean": BOOL}


class ProtocolError(Record):
    """Layers in front of the protocol say more beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    error: str


class ServerMetadata(Record):
    name: str
    version: str
    extensions: tuple[str, ...]


class ServerLive(Record):
    live: bool


class ServerReady(Record):
    ready: bool


class ModelReady(Record):
    name: str
    ready: bool


class Models(Record):
    models: tuple[str, ...]


class TensorMetadata(Record):
    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(Record):
    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class OutputTensor(Record):
    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[Any, ...] = ()
    parameters: dict[str, int] = {}


class InferAnswer(Record):
    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, str]
    outputs: tuple[OutputTensor, ...]


def model_metadata(manifest: Manifest, runtime: str) -> ModelMetadata:
    inputs = [
        TensorMetadata(name=column.name, datatype=_DATATYPES.get(column.type, BYTES), shape=(-1,))
        for column in manifest.inputs
    ]
    shapes = {"probabilities": (-1, len(manifest.classes))}
    outputs = [
        TensorMetadata(name=name, datatype=kind, shape=shapes.get(name, (-1,)))
        for name, kind in output_types(manifest).items()
    ]
    return ModelMetadata(
        name=manifest.model,
        versions=(manifest.revision,),
        platform=f"{manifest.library}_{runtime}",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def infer_body(metadata: ModelMetadata, manifest: Manifest, example: dict[str, Any]) -> dict[str, Any]:
    """Of a request to infer, with one that this model answers."""
    tensors = [_tensor(one, column) for one, column in zip(metadata.inputs, manifest.inputs, strict=True)]
    inputs = {"type": "array", "prefixItems": tensors, "items": False, "minItems": len(tensors), "description": _ROWS}
    output = {"type": "object", "required": ["name"], "properties": {"name": {"enum": list(output_types(manifest))}}}
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "inputs": inputs,
            "outputs": {"type": ["array", "null"], "items": output},
        },
        "example": _as_tensors(metadata, example),
    }
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _tensor(metadata: TensorMetadata, column: Column) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"const": metadata.name},
            "datatype": {"const": metadata.datatype},
            "shape": {"const": [1]},
            "data": {"type": "array", "items": cell(column), "minItems": 1, "maxItems": 1},
        },
    }


def _as_tensors(metadata: ModelMetadata, example: dict[str, Any]) -> dict[str, Any]:
    given = [one for one in metadata.inputs if example.get(one.name) is not None]
    return {
        "inputs": [
            {"name": one.name, "shape": [1], "datatype": one.datatype, "data": [example[one.name]]} for one in given
        ]
    }

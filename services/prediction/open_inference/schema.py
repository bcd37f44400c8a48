"""What the protocol's answers hold, for the description of the interface."""

from typing import Any

from services.contract.record import Record
from services.contract.release import Manifest
from services.prediction.open_inference.answers import BINARY, output_types
from services.prediction.open_inference.datatypes import BOOL, BYTES, DATATYPES, FP64, INT64

_DATATYPES = {"double": FP64, "long": INT64, "boolean": BOOL}


class ProtocolError(Record):
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


def infer_body(metadata: ModelMetadata, example: dict[str, Any]) -> dict[str, Any]:
    """Of a request to infer, with one that this model answers."""
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
            "datatype": {"type": "string", "enum": list(DATATYPES)},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    schema = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "minItems": 1, "maxItems": len(metadata.inputs), "items": tensor},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
        "example": _as_tensors(metadata, example),
    }
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}, BINARY: binary}}}


def _as_tensors(metadata: ModelMetadata, example: dict[str, Any]) -> dict[str, Any]:
    given = [one for one in metadata.inputs if example.get(one.name) is not None]
    return {
        "inputs": [
            {"name": one.name, "shape": [1], "datatype": one.datatype, "data": [example[one.name]]} for one in given
        ]
    }

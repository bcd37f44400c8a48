"""Answers as tensors: `prediction`, or `label`, `probability` and `probabilities`, in JSON or in binary."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi.responses import Response

from services.contract import names
from services.contract.release import Manifest
from services.contract.task import TARGETS
from services.prediction.answers import Json
from services.prediction.content_type import JSON
from services.prediction.invalid import Invalid
from services.prediction.open_inference.datatypes import BYTES, FP64, INT64, encode

HEADER = "Inference-Header-Content-Length"
BINARY = "application/octet-stream"


class Output(NamedTuple):
    name: str
    binary: bool


def output_types(manifest: Manifest) -> dict[str, str]:
    """The datatype of each output of this model, by its name."""
    if manifest.task == "regression":
        return {names.GRAPH_PREDICTION: FP64}
    label = BYTES if TARGETS[manifest.task] == "string" else INT64
    plain = {names.GRAPH_LABEL: label, names.GRAPH_PROBABILITY: FP64}
    return {**plain, names.GRAPH_PROBABILITIES: FP64} if manifest.classes else plain


def wanted_outputs(content: dict[str, Any], manifest: Manifest, all_classes: bool) -> list[Output]:
    """Those that are asked for by name, else all but the probabilities of all classes, unless these were asked for.

    Raises Invalid for an output that the model has not.
    """
    known = output_types(manifest)
    binary = (content.get("parameters") or {}).get("binary_data_output") is True
    if (asked := content.get("outputs")) is None or asked == []:
        chosen = [name for name in known if all_classes or name != names.GRAPH_PROBABILITIES]
        return [Output(name, binary) for name in chosen]
    if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
        raise Invalid(400, "outputs: expected a list of objects with a name, found something else")
    return [_asked(place, one, known, binary) for place, one in enumerate(asked)]


def _asked(place: int, found: dict[str, Any], known: dict[str, str], binary: bool) -> Output:
    if found.get("name") not in list(known):
        raise Invalid(400, f"outputs[{place}].name: expected one of {', '.join(known)}, found another")
    parameters = found.get("parameters") or {}
    if not isinstance(parameters, dict) or parameters.get("classification"):
        raise Invalid(400, f"outputs[{place}].parameters: expected binary_data or nothing, found something else")
    return Output(found["name"], parameters.get("binary_data", binary) is True)


def respond(head: dict[str, Any], predictions: Sequence[Json], outputs: Sequence[Output], types: Any) -> Response:
    tensors, tail = [], b""
    for name, binary in outputs:
        values, width = _values(name, predictions)
        tensor = {"name": name, "datatype": types[name], "shape": [len(predictions), *width]}
        if binary:
            content = encode(types[name], values)
            tail += content
            tensors.append({**tensor, "parameters": {"binary_data_size": len(content)}})
        else:
            tensors.append({**tensor, "data": values})
    body = {**head, "outputs": tensors}
    text = msgspec.json.encode(body)
    if not any(output.binary for output in outputs):
        return Response(text, media_type=JSON)
    return Response(text + tail, media_type=BINARY, headers={HEADER: str(len(text))})


def _values(name: str, predictions: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """In row-major order, and the sizes behind that of the rows."""
    if name == names.GRAPH_PREDICTION:
        return list(predictions), []
    found = [one[name] for one in predictions]
    if name != names.GRAPH_PROBABILITIES:
        return found, []
    return [value for each in found for value in each.values()], [len(found[0])]

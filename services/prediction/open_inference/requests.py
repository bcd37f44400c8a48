"""A request to infer: JSON, behind which the bytes of its binary tensors may follow."""

from typing import Any, NamedTuple

from services.contract import names
from services.contract.release import Manifest
from services.prediction.bodies.json_body import read_json
from services.prediction.column_types import check_rows
from services.prediction.content_type import JSON
from services.prediction.invalid import Invalid
from services.prediction.invocations import Invocation
from services.prediction.open_inference.answers import BINARY, Output, wanted_outputs
from services.prediction.open_inference.tensors import read_rows, read_tensors
from services.prediction.params import PREDICT_PROBA, Params, read_params

# Lists of several labels have no shape.
_NO_TENSOR = ("k", "threshold")


class InferRequest(NamedTuple):
    id: str | None
    asked: Invocation
    params: Params
    outputs: list[Output]


def read_request(body: bytes, content_type: str, header_length: str | None, manifest: Manifest) -> InferRequest:
    """Raises Invalid for a request that this model does not answer."""
    media = content_type.partition(";")[0].strip().lower()
    if media not in ("", JSON, BINARY):
        raise Invalid(415, f"expected the header Content-Type: {JSON} or {BINARY}, found another")
    content, binary = _split(body, header_length)
    tensors = read_tensors(content, binary, manifest.inputs, manifest.limits.max_rows)
    rows = check_rows(read_rows(tensors, manifest.inputs), manifest.inputs)
    params = _params(content, manifest)
    outputs = wanted_outputs(content, manifest, params.all_classes)
    if any(output.name == names.GRAPH_PROBABILITIES for output in outputs):
        params = Params(predict_method=PREDICT_PROBA)
    return InferRequest(_id(content), Invocation(rows), params, outputs)


def _split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], bytes]:
    if header_length is None:
        return read_json(body), b""
    if not (header_length.isascii() and header_length.isdigit()) or int(header_length[:16]) > len(body):
        raise Invalid(400, "expected the length of the JSON in Inference-Header-Content-Length, found another")
    return read_json(body[: int(header_length)]), body[int(header_length) :]


def _params(content: dict[str, Any], manifest: Manifest) -> Params:
    found = content.get("parameters") or {}
    if any(name in found for name in _NO_TENSOR):
        raise Invalid(400, f"parameters: expected none of {', '.join(_NO_TENSOR)}: ask for the output probabilities")
    known = {name: found[name] for name in ("predict_method",) if name in found}
    params = read_params(known, manifest.task)
    if params.all_classes and not manifest.classes:
        raise Invalid(400, "expected a release that knows the probabilities of all classes, found an older one")
    return params


def _id(content: dict[str, Any]) -> str | None:
    if (found := content.get("id")) is None or isinstance(found, str):
        return found
    raise Invalid(400, "id: expected a string, found something else")

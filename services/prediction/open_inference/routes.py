"""The paths of both versions of the protocol, of this one model; its version is the release's revision."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Scope

from services.contract.release import Manifest
from services.prediction.content_type import JSON
from services.prediction.invalid import Invalid
from services.prediction.invocations import Invocation, read_invocation
from services.prediction.open_inference.answers import BINARY, HEADER, output_types, respond
from services.prediction.open_inference.requests import InferRequest, read_request
from services.prediction.open_inference.schema import (
    InferAnswer,
    ModelMetadata,
    ModelReady,
    Models,
    ProtocolError,
    ServerLive,
    ServerMetadata,
    ServerReady,
    infer_body,
    model_metadata,
)  # fmt: skip
from services.prediction.params import read_params
from services.prediction.predictor import Predictor
from services.prediction.scoring import Scoring
from services.prediction.turns import Read

SERVER = "trackback"
_EXTENSIONS = ("binary_tensor_data",)
_REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": ProtocolError} for status in (400, 403, 413, 415, 503)}
_INFERRED: dict[int | str, dict[str, Any]] = {**_REFUSALS, 200: {"content": {BINARY: {}}}}
Ask = Callable[[Request], Awaitable[Response]]


def add_open_inference(
    app: FastAPI, predictor: Predictor, scoring: Scoring, answer: Any, body: dict[str, Any]
) -> dict[str, Any]:
    """`answer` and `body` describe those of MLflow's protocol; what is returned describes bodies by path."""
    manifest = predictor.manifest
    metadata = model_metadata(manifest, predictor.form.runtime)
    _add_server(app, manifest)
    infer, described = _infer(predictor, scoring), {}
    for path in _model_paths(manifest):
        _add_model(app, path, metadata)
        app.post(f"{path}/infer", response_model=InferAnswer, responses=_INFERRED)(infer)
        described[f"{path}/infer"] = infer_body(metadata, manifest, predictor.example["dataframe_records"][0])
    predict = _first_path(manifest)
    app.post(predict, response_model=answer, responses=_REFUSALS)(_predict(manifest, scoring))
    return {**described, predict: {"required": True, "content": {JSON: body["content"][JSON]}}}


def prediction_paths(manifest: Manifest) -> list[str]:
    return [_first_path(manifest), *(f"{path}/infer" for path in _model_paths(manifest))]


def _first_path(manifest: Manifest) -> str:
    return f"/v1/models/{manifest.model}:predict"


def _model_paths(manifest: Manifest) -> tuple[str, str]:
    model = f"/v2/models/{manifest.model}"
    return model, f"{model}/versions/{manifest.revision}"


def unknown_path(path: str, manifest: Manifest) -> str | None:
    """Why there is nothing at a path of the protocol; None for a path of none of its versions."""
    found = path.split("/")
    if found[1:2] not in (["v1"], ["v2"]):
        return None
    model = f"/{found[1]}/models/{manifest.model}"
    if found[2:3] == ["models"] and (found[3:4] or [""])[0].partition(":")[0] != manifest.model:
        return f"expected the model {manifest.model}, found another name"
    if found[4:5] == ["versions"] and found[5:6] != [manifest.revision]:
        return f"expected the version {manifest.revision} of {manifest.model}, found another"
    return f"expected {model} or a path below it, found another"


def _add_server(app: FastAPI, manifest: Manifest) -> None:
    @app.get("/v2")
    async def server() -> ServerMetadata:
        return ServerMetadata(name=SERVER, version=manifest.revision, extensions=_EXTENSIONS)

    @app.get("/v2/health/live")
    async def server_live() -> ServerLive:
        return ServerLive(live=True)

    @app.get("/v2/health/ready")
    async def server_ready() -> ServerReady:
        return ServerReady(ready=True)

    @app.get("/v1/models")
    async def models() -> Models:
        return Models(models=(manifest.model,))

    @app.get(f"/v1/models/{manifest.model}")
    async def first_model() -> ModelReady:
        return ModelReady(name=manifest.model, ready=True)


def _add_model(app: FastAPI, path: str, metadata: ModelMetadata) -> None:
    @app.get(path)
    async def model() -> ModelMetadata:
        return metadata

    @app.get(f"{path}/ready")
    async def model_ready() -> ModelReady:
        return ModelReady(name=metadata.name, ready=True)


def _predict(manifest: Manifest, scoring: Scoring) -> Ask:
    @_in_words
    async def predict(request: Request) -> Response:
        """Predicts for `instances` or another form of MLflow's scoring protocol."""
        if request.headers.get("content-type", JSON).partition(";")[0].strip().lower() != JSON:
            raise Invalid(415, f"expected the header Content-Type: {JSON}, found another")
        body = await request.body()
        async with scoring.turns.reading(body) as read:
            return await answer(read, body, request.scope)

    # Apart, so that the rows are gone when it returns.
    async def answer(read: Read, body: bytes, scope: Scope) -> Response:
        asked: Invocation = await read(read_invocation, body, manifest.inputs, manifest.limits.max_rows)
        params = read_params(asked.params, manifest.task)
        return await scoring.in_json(await scoring.score(asked, params, scope))

    return predict


def _infer(predictor: Predictor, scoring: Scoring) -> Ask:
    manifest, release = predictor.manifest, predictor.release.digest
    head = {"model_name": manifest.model, "model_version": manifest.revision, "parameters": {"release": release}}

    @_in_words
    async def infer(request: Request) -> Response:
        """Predicts for tensors: one a column by its name, or one of all columns in their order.

        Elements may stand behind the JSON: then `Inference-Header-Content-Length` says how long that is, and each such
        tensor's parameter `binary_data_size` how many bytes are its own. The content type is application/octet-stream.
        """
        content_type, length = request.headers.get("content-type", ""), request.headers.get(HEADER)
        body = await request.body()
        async with scoring.turns.reading(body) as read:
            return await answer(read, (body, content_type, length), request.scope)

    # Apart, so that the rows are gone when it returns.
    async def answer(read: Read, sent: tuple[bytes, str, str | None], scope: Scope) -> Response:
        asked: InferRequest = await read(read_request, *sent, manifest)
        predictions = await scoring.score(asked.asked, asked.params, scope)
        said = head if asked.id is None else {**head, "id": asked.id}
        response: Response = await read(respond, said, predictions, asked.outputs, output_types(manifest))
        return response

    return infer


def _in_words(ask: Ask) -> Ask:
    """Refuses as the protocol does: an error in one text, and 400 for whatever does not fit the model."""

    @wraps(ask)
    async def asked(request: Request) -> Response:
        try:
            return await ask(request)
        except Invalid as refusal:
            status = 400 if refusal.status == 422 else refusal.status
            return JSONResponse({"error": str(refusal)}, status)

    return asked

"""The HTTP API: predictions, health, metadata, and a page that documents them."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.contract.prediction import Labelled
from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.release import Column, ServingLimits
from services.contract.task import Task
from services.prediction.answer_body import AnswerBody
from services.prediction.answers import as_json
from services.prediction.asked import note
from services.prediction.bodies.json_body import FORMS
from services.prediction.content_type import CSV, JSON, media_type
from services.prediction.hot.route import HotRoute
from services.prediction.invalid import Invalid, Problem, answer_invalid
from services.prediction.invocations import read_invocation
from services.prediction.page import address_of, page, prefix_of
from services.prediction.params import params_schema, read_params
from services.prediction.predictor import Predictor
from services.prediction.request_limiter import RequestLimiter

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 408, 413, 415, 422, 503)}
# A POST that changes nothing: rows are too long for an address.
READ_ONLY_PATHS = ("/invocations",)
LOOPBACK_ADDRESS = "127.0.0.1"
# Source: prometheus.io, "Exposition formats".
METRICS = "text/plain; version=0.0.4; charset=utf-8"
_OF_ITS_OWN: dict[str, Any] = {
    **dict.fromkeys(("docs_url", "redoc_url", "openapi_url")),
    "telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
}
FACTS = ("description", "library", "task", "unit", "inputs", "classes", "limits")


class Identity(Record):
    name: ModelName
    revision: Revision
    release: Sha256


AnswerForOne = TypeVar("AnswerForOne", float, Labelled)


class Answer(Record, Generic[AnswerForOne]):
    """One prediction a row, in the rows' order: a number in the model's unit, or a label and its probability."""

    predictions: tuple[AnswerForOne, ...]
    model: Identity


class Readiness(Record):
    status: str
    model: Identity


class Metadata(Record):
    model: Identity
    description: str
    run_id: RunId
    library: str
    runtime: str
    task: Task
    unit: str
    inputs: tuple[Column, ...]
    classes: tuple[str, ...]
    limits: ServingLimits


def create_app(predictor: Predictor, metrics: Callable[[], bytes] | None = None) -> ASGIApp:
    """With a page of its metrics where there are some.

    As uvicorn does for whole applications, a proxy on this machine is believed; predictions do not depend on it.
    """
    body = AnswerBody(_identity(predictor).model_dump(mode="json"))
    app = create_api(predictor)
    if metrics:
        _add_metrics(app, metrics)
    api: Any = ProxyHeadersMiddleware(cast(Any, app), trusted_hosts=LOOPBACK_ADDRESS)
    return RequestLimiter(HotRoute(api, predictor, body), predictor.manifest.limits)


def create_api(predictor: Predictor) -> FastAPI:
    manifest = predictor.manifest
    title = f"{manifest.model} {manifest.revision}"
    # FastAPI's own pages come from elsewhere, and know of no gateway; its spans and metrics know of no model.
    app = FastAPI(title=title, description=manifest.description, **_OF_ITS_OWN)
    _add_invocations(app, predictor)
    _add_facts(app, predictor)
    _add_page(app, predictor)
    return app


def _identity(predictor: Predictor) -> Identity:
    manifest = predictor.manifest
    return Identity(name=manifest.model, revision=manifest.revision, release=predictor.release.digest)


def _add_invocations(app: FastAPI, predictor: Predictor) -> None:
    manifest = predictor.manifest
    answer_body = AnswerBody(_identity(predictor).model_dump(mode="json"))
    body = _request_body(predictor)
    answer = Answer[float] if manifest.task == "regression" else Answer[Labelled]

    @app.post("/invocations", response_model=answer, responses=REFUSALS, openapi_extra=body)
    async def invocations(request: Request) -> Response:
        """Predicts for rows in one of the forms of MLflow's scoring protocol."""
        try:
            media = media_type(request.headers.get("content-type", ""))
            asked = read_invocation(await request.body(), manifest.inputs, manifest.limits.max_rows, media)
            params = read_params(asked.params, manifest.task)
            predict = predictor.predict_proba if params.all_classes else predictor.predict
            predictions = [as_json(one, params) for one in predict(asked.rows)]
            note(request.scope, asked.rows, predictions, len(asked.rows))
            return Response(answer_body.of(predictions), media_type=JSON)
        except Invalid as refusal:
            return answer_invalid(refusal)


def _add_facts(app: FastAPI, predictor: Predictor) -> None:
    manifest, identity = predictor.manifest, _identity(predictor)
    run_id = manifest.candidate.run.run_id

    @app.get("/ping", include_in_schema=False)
    @app.get("/health", include_in_schema=False)
    async def ping() -> Response:
        return Response("\n", media_type=JSON)

    @app.get("/version", include_in_schema=False)
    async def version() -> Response:
        """Of the MLflow that logged the model, as its own server answers it."""
        return Response((manifest.candidate.run.libraries or {}).get("mlflow", "unknown"), media_type=JSON)

    @app.get("/health/live")
    async def live() -> Readiness:
        return Readiness(status="live", model=identity)

    @app.get("/health/ready")
    async def ready() -> Readiness:
        return Readiness(status="ready", model=identity)

    @app.get("/metadata")
    async def metadata() -> Metadata:
        facts = {name: getattr(manifest, name) for name in FACTS}
        return Metadata(model=identity, run_id=run_id, runtime=predictor.form.runtime, **facts)


def _add_metrics(app: FastAPI, metrics: Callable[[], bytes]) -> None:
    # Not in the event loop: the first one imports what makes the text.
    @app.get("/metrics", include_in_schema=False)
    def show() -> Response:
        return Response(metrics(), media_type=METRICS)


def _add_page(app: FastAPI, predictor: Predictor) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        url = f"{request.url.scheme}://{address_of(request.headers)}{prefix_of(request.headers)}"
        return HTMLResponse(page(predictor.manifest, predictor.release.digest, predictor.example, url))

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse({**app.openapi(), "servers": [{"url": prefix_of(request.headers) or "/"}]})


def _request_body(predictor: Predictor) -> dict[str, Any]:
    """Each form, what may be asked beside it, and a request that this model answers. Other fields are ignored."""
    manifest = predictor.manifest
    schema = {
        "type": "object",
        "properties": {**{form: {} for form in FORMS}, "params": params_schema(manifest.task)},
        "oneOf": [{"required": [form]} for form in FORMS],
        "example": predictor.example,
    }
    table = {"type": "string", "description": f"a first line of names: {', '.join(c.name for c in manifest.inputs)}"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}, CSV: {"schema": table}}}}

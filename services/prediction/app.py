"""The HTTP API: predictions, health, metadata, and a page that documents them."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.release import Column, ServingLimits
from services.contract.task import Task
from services.prediction.answer_body import AnswerBody
from services.prediction.content_type import ARROW, CSV, JSON, PARQUET
from services.prediction.deployments import add_deployment, invocations_path
from services.prediction.hot.route import HotRoute
from services.prediction.invalid import Invalid, Problem
from services.prediction.open_inference.routes import add_open_inference, prediction_paths, unknown_path
from services.prediction.page import address_of, page, prefix_of
from services.prediction.params import params_schema
from services.prediction.predictor import Predictor
from services.prediction.request_limiter import RequestLimiter
from services.prediction.request_schema import csv_table, forms
from services.prediction.scoring import Scoring
from services.prediction.turns import Turns

# Of the layers in front of every path, and of a path that takes a body.
ANYWHERE: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 408, 414, 431)}
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 413, 415, 422, 503)}
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


class Label(Record):
    """Lists for a `k` other than 1, null for no label as probable as the `threshold`."""

    label: int | str | tuple[int | str, ...] | None
    probability: float | tuple[float, ...] | None
    probabilities: dict[str, float] = {}


AnswerForOne = TypeVar("AnswerForOne", float, Label)


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


def read_only_paths(predictor: Predictor) -> tuple[str, ...]:
    """Asked by POST, they change nothing: rows are too long for an address."""
    manifest = predictor.manifest
    return ("/invocations", invocations_path(manifest), *prediction_paths(manifest))


def create_app(
    predictor: Predictor,
    metrics: Callable[[], bytes] | None = None,
    before: Callable[[ASGIApp], ASGIApp] = lambda app: app,
) -> ASGIApp:
    """With a page of its metrics where there are some; `before` what is asked for predictions comes whatever is made
    around that.

    As uvicorn does for whole applications, a proxy on this machine is believed; predictions do not depend on it.
    """
    body = AnswerBody(_identity(predictor).model_dump(mode="json"))
    turns = Turns()
    app = create_api(predictor, turns)
    if metrics:
        _add_metrics(app, metrics)
    api: Any = ProxyHeadersMiddleware(cast(Any, app), trusted_hosts=LOOPBACK_ADDRESS)
    return RequestLimiter(before(HotRoute(api, predictor, body, turns)), predictor.manifest.limits)


def create_api(predictor: Predictor, turns: Turns | None = None) -> FastAPI:
    manifest = predictor.manifest
    title = f"{manifest.model} {manifest.revision}"
    # FastAPI's own pages come from elsewhere, and know of no gateway; its spans and metrics know of no model.
    app = FastAPI(title=title, description=manifest.description, responses=ANYWHERE, **_OF_ITS_OWN)
    bodies = _add_invocations(app, predictor, turns or Turns())
    _add_facts(app, predictor)
    _add_page(app, predictor, bodies)
    _add_errors(app, predictor)
    return app


def _identity(predictor: Predictor) -> Identity:
    manifest = predictor.manifest
    return Identity(name=manifest.model, revision=manifest.revision, release=predictor.release.digest)


def _add_invocations(app: FastAPI, predictor: Predictor, turns: Turns) -> dict[str, Any]:
    """What OpenAPI says of the bodies of requests, by path."""
    manifest = predictor.manifest
    answer: Any = Answer[float] if manifest.task == "regression" else Answer[Label]
    scoring = Scoring(predictor, _identity(predictor).model_dump(mode="json"), turns)

    @app.post("/invocations", response_model=answer, responses={**REFUSALS, 200: {"content": {ARROW: {}}}})
    async def invocations(request: Request) -> Response:
        """Predicts for rows in one of the forms of MLflow's scoring protocol."""
        return await scoring.respond(request)

    body = _request_body(predictor)
    add_deployment(app, manifest, scoring)
    return {"/invocations": body, **add_open_inference(app, predictor, scoring, answer, body)}


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


def _add_page(app: FastAPI, predictor: Predictor, bodies: dict[str, Any]) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        url = f"{request.url.scheme}://{address_of(request.headers)}{prefix_of(request.headers)}"
        return HTMLResponse(page(predictor.manifest, predictor.release.digest, predictor.example, url))

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse({**_described(app, bodies), "servers": [{"url": prefix_of(request.headers) or "/"}]})


def _described(app: FastAPI, bodies: dict[str, Any]) -> dict[str, Any]:
    """FastAPI would make doubles of the bounds of whole numbers, so it never has the bodies."""
    document = app.openapi()
    for path, body in bodies.items():
        document["paths"][path]["post"]["requestBody"] = body
    return document


def _add_errors(app: FastAPI, predictor: Predictor) -> None:
    """Of paths and methods that there are not, in the form of all others and in that of the protocol of the path."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        unknown = unknown_path(request.url.path, predictor.manifest)
        if unknown is not None and error.status_code == 404:
            return JSONResponse({"error": unknown}, 404)
        said = Invalid(
            error.status_code, f"expected a path and a method of /openapi.json, found another: {error.detail}"
        )
        return JSONResponse(said.problem.model_dump(mode="json"), error.status_code, error.headers)


def _request_body(predictor: Predictor) -> dict[str, Any]:
    """Each form, what may be asked beside it, and a request that this model answers. Other fields are ignored."""
    manifest = predictor.manifest
    known = forms(manifest.inputs)
    schema = {
        "type": "object",
        "description": f"At most {manifest.limits.max_rows} rows.",
        "properties": {**known, "params": params_schema(manifest.task)},
        "oneOf": [{"required": [form]} for form in known],
        "example": predictor.example,
    }
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {JSON: {"schema": schema}, CSV: {"schema": csv_table(manifest.inputs)}, ARROW: binary, PARQUET: binary}
    return {"required": True, "content": content}

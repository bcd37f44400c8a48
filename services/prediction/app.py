"""What the service answers over HTTP."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from services.contract.record import ModelName, Record, Revision, RunId, Sha256
from services.contract.release import Column, ServingLimits
from services.prediction.guard import Guard
from services.prediction.invalid import Invalid, Problem, answer_invalid
from services.prediction.invocations import FORMS, read_invocation
from services.prediction.predictor import Predictor

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (400, 408, 413, 415, 422, 503)}


class Identity(Record):
    name: ModelName
    revision: Revision
    release: Sha256


class Answer(Record):
    """One prediction a row, in the rows' order and the model's unit."""

    predictions: tuple[float, ...]
    model: Identity


class Readiness(Record):
    status: str
    model: Identity


class Metadata(Record):
    model: Identity
    description: str
    run_id: RunId
    library: str
    unit: str
    inputs: tuple[Column, ...]
    limits: ServingLimits


def create_app(predictor: Predictor) -> ASGIApp:
    manifest = predictor.manifest
    app = FastAPI(title=f"{manifest.model} {manifest.revision}", description=manifest.description)
    _add_invocations(app, predictor)
    _add_facts(app, predictor)
    return Guard(app, manifest.limits)


def _identity(predictor: Predictor) -> Identity:
    manifest = predictor.manifest
    return Identity(name=manifest.model, revision=manifest.revision, release=predictor.release.digest)


def _add_invocations(app: FastAPI, predictor: Predictor) -> None:
    manifest = predictor.manifest
    model = _identity(predictor).model_dump(mode="json")
    body = _request_body(manifest.inputs)

    @app.post("/invocations", response_model=Answer, responses=REFUSALS, openapi_extra=body)
    async def invocations(request: Request) -> JSONResponse:
        """Predicts for rows in one of the four forms of MLflow's scoring protocol."""
        try:
            _check_content_type(request)
            rows = read_invocation(await request.body(), manifest.inputs, manifest.limits.max_rows)
            return JSONResponse({"predictions": predictor.predict(rows), "model": model})
        except Invalid as refusal:
            return answer_invalid(refusal)


def _add_facts(app: FastAPI, predictor: Predictor) -> None:
    manifest, identity = predictor.manifest, _identity(predictor)

    @app.get("/health/live")
    async def live() -> Readiness:
        return Readiness(status="live", model=identity)

    @app.get("/health/ready")
    async def ready() -> Readiness:
        return Readiness(status="ready", model=identity)

    @app.get("/metadata")
    async def metadata() -> Metadata:
        facts = {name: getattr(manifest, name) for name in ("description", "library", "unit", "inputs", "limits")}
        return Metadata(model=identity, run_id=manifest.candidate.run.run_id, **facts)


def _check_content_type(request: Request) -> None:
    found = request.headers.get("content-type", "")
    if found.partition(";")[0].strip().lower() != "application/json":
        raise Invalid(415, "expected the header Content-Type: application/json, found another or none")


def _request_body(inputs: tuple[Column, ...]) -> dict[str, Any]:
    """For the page /docs: the four forms, and an example with this model's columns."""
    examples = {"double": 1.5, "long": 1, "string": "text", "boolean": True}
    record = {column.name: examples[column.type] for column in inputs}
    schema = {
        "type": "object",
        "properties": {form: {} for form in FORMS},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "example": {"dataframe_records": [record]},
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}

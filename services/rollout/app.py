"""The rollout service's API: what is live, the ledger, deploy, rollback and retire."""

from itertools import chain
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.exceptions import HTTPException

from services.contract.deployment import (
    LIVE_CHANGED,
    STEPPED_BACK,
    Deployment,
    DeployRequest,
    ModelState,
    Retirement,
    RetireRequest,
    RollbackPlan,
    RollbackRequest,
    StepRequest,
)
from services.contract.engine_images import PrunedImages, PruneImages
from services.contract.errors import LiveChanged, Refused, SteppedBack, Stopped
from services.contract.http_guard import Access, Guard
from services.contract.ledger import Audit, JournalEntry, LedgerNote
from services.contract.prediction_log import LogQuery
from services.contract.record import ModelName, Record
from services.contract.rollout_step import StepStatus
from services.rollout.metrics import CONTENT_TYPE
from services.rollout.rollout import Rollout

LOCAL = Access()
_REFUSALS = {
    400: "Asked under another name than this service has",
    401: "The token is missing or another",
    403: "Asked by a page of another service",
    404: "There is no such place",
    405: "It is not asked so",
    409: "It cannot be done as things are",
    LIVE_CHANGED: "Another release is live than the request was decided by",
    STEPPED_BACK: "The candidate was taken back in one of its steps",
    422: "The request is not as it must be",
    500: "The state cannot be written",
    503: "The service was told to end in the middle of it: ask the next one",
}


class Refusal(Record):
    """The one shape of every error, for a person."""

    message: str


def create_app(rollout: Rollout, access: Access = LOCAL) -> FastAPI:
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": Refusal, "description": why} for status, why in _REFUSALS.items()
    }
    app = FastAPI(title="Trackback rollout", responses=responses)
    app.add_middleware(Guard, access=access)
    _add_refusals(app)
    _add_questions(app, rollout)
    _add_history(app, rollout)
    _add_changes(app, rollout)
    _add_prediction_log(app, rollout)
    return app


def _add_questions(app: FastAPI, rollout: Rollout) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> Response:
        return Response(rollout.metrics(), media_type=CONTENT_TYPE)

    @app.get("/metrics/serving", response_class=PlainTextResponse)
    def serving_metrics() -> Response:
        return Response(rollout.serving_metrics(), media_type=CONTENT_TYPE)

    @app.get("/models")
    def models() -> list[ModelState]:
        return rollout.states()

    @app.get("/models/{model}")
    def model(model: ModelName) -> ModelState:
        return rollout.state(model)


def _add_history(app: FastAPI, rollout: Rollout) -> None:
    @app.get("/models/{model}/deployments")
    def deployments(model: ModelName) -> list[Deployment]:
        return rollout.deployments(model)

    @app.get("/models/{model}/ledger")
    def ledger(model: ModelName) -> list[JournalEntry]:
        return rollout.ledger(model)

    @app.get("/models/{model}/audit")
    def audit(model: ModelName) -> Audit:
        return rollout.audit(model)

    @app.get("/models/{model}/rollback")
    def plan(model: ModelName, to: str | None = None) -> RollbackPlan:
        return rollout.plan(model, to)


def _add_changes(app: FastAPI, rollout: Rollout) -> None:
    @app.post("/models/{model}/deploy")
    def deploy(model: ModelName, request: DeployRequest) -> Deployment:
        return rollout.deploy(model, request)

    @app.post("/models/{model}/rollback")
    def rollback(model: ModelName, request: RollbackRequest) -> Deployment:
        return rollout.rollback(model, request)

    @app.post("/models/{model}/retire")
    def retire(model: ModelName, request: RetireRequest) -> Retirement:
        return rollout.retire(model, request)

    @app.post("/models/{model}/step")
    def step(model: ModelName, request: StepRequest) -> StepStatus | None:
        return rollout.obey(model, request)

    @app.post("/images/prune")
    def prune_images(request: PruneImages) -> PrunedImages:
        return rollout.prune_images(request)

    @app.post("/models/{model}/ledger")
    def note(model: ModelName, request: LedgerNote) -> LedgerNote:
        return rollout.note(model, request)


def _add_prediction_log(app: FastAPI, rollout: Rollout) -> None:
    # By POST, because who asks must show the token: what clients sent is in it.
    @app.post("/models/{model}/predictions", response_class=StreamingResponse)
    def predictions(model: ModelName, query: LogQuery) -> StreamingResponse:
        lines = rollout.logged(model, query)
        # What cannot be read is refused before the answer begins.
        first = next(lines, b"")
        return StreamingResponse(chain([first], lines), media_type="application/jsonl")


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, refusal: Refused) -> JSONResponse:
        return JSONResponse({"message": str(refusal)}, status_code=409)

    @app.exception_handler(HTTPException)
    async def not_there(request: Request, error: HTTPException) -> JSONResponse:
        said = f"{error.detail}: {request.method} {request.url.path}: see /docs"
        return JSONResponse({"message": said}, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(LiveChanged)
    async def changed(_: Request, refusal: LiveChanged) -> JSONResponse:
        return JSONResponse({"message": str(refusal)}, status_code=LIVE_CHANGED)

    @app.exception_handler(SteppedBack)
    async def stepped_back(_: Request, refusal: SteppedBack) -> JSONResponse:
        return JSONResponse({"message": str(refusal)}, status_code=STEPPED_BACK)

    @app.exception_handler(Stopped)
    async def stopped(_: Request, refusal: Stopped) -> JSONResponse:
        return JSONResponse({"message": str(refusal)}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        return JSONResponse({"message": f"{field}: {problem['msg']}"}, status_code=422)

    @app.exception_handler(OSError)
    async def failed(_: Request, error: OSError) -> JSONResponse:
        said = f"the state cannot be written, what was live goes on: {error.strerror}"
        return JSONResponse({"message": said}, status_code=500)

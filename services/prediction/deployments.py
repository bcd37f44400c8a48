"""The paths that `mlflow.deployments` asks of a target: the model as its one endpoint.

Source: mlflow.deployments.server.constants, and mlflow.gateway.config.Endpoint.
"""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from services.contract.record import Record
from services.contract.release import Manifest
from services.prediction.scoring import Scoring

# MLflow has a name of its own for endpoints of none of the kinds that it knows.
_KIND = "custom"


class EndpointModel(Record):
    name: str
    provider: str


class Endpoint(Record):
    name: str
    endpoint_type: str
    model: EndpointModel
    endpoint_url: str
    limit: None = None


def invocations_path(manifest: Manifest) -> str:
    return f"/endpoints/{manifest.model}/invocations"


def add_deployment(app: FastAPI, manifest: Manifest, scoring: Scoring) -> None:
    path = invocations_path(manifest)
    model = EndpointModel(name=manifest.revision, provider=manifest.library)
    endpoint = Endpoint(name=manifest.model, endpoint_type=_KIND, model=model, endpoint_url=path)

    @app.get(f"/api/2.0/endpoints/{manifest.model}")
    async def deployment() -> Endpoint:
        return endpoint

    @app.post(path, include_in_schema=False)
    async def invocations(request: Request) -> Response:
        return await scoring.respond(request)

"""The rollout service as the verbs see it."""

from typing import TypeVar

import httpx

from services.contract.deployment import Deployment, DeployRequest, ModelState, RollbackRequest
from services.contract.errors import Refused
from services.contract.record import Record

Answer = TypeVar("Answer", bound=Record)
_DEPLOY_SECONDS = 120


class Rollout:
    """Every method raises Refused when the service cannot be reached or says no."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def state(self, model: str) -> ModelState:
        return self._ask(ModelState, "GET", f"/models/{model}")

    def deployments(self, model: str) -> list[Deployment]:
        answer = self._send("GET", f"/models/{model}/deployments", None)
        return [Deployment.model_validate(one) for one in answer.json()]

    def deploy(self, model: str, request: DeployRequest) -> Deployment:
        return self._ask(Deployment, "POST", f"/models/{model}/deploy", request)

    def rollback(self, model: str, request: RollbackRequest) -> Deployment:
        return self._ask(Deployment, "POST", f"/models/{model}/rollback", request)

    def _ask(self, shape: type[Answer], method: str, path: str, body: Record | None = None) -> Answer:
        return shape.from_json(self._send(method, path, body).content, self._url + path)

    def _send(self, method: str, path: str, body: Record | None) -> httpx.Response:
        content = body.model_dump(mode="json") if body else None
        try:
            answer = httpx.request(method, self._url + path, json=content, timeout=_DEPLOY_SECONDS)
        except httpx.HTTPError as error:
            raise Refused(
                f"expected the rollout service at {self._url}, cannot reach it ({error}): is it up?"
            ) from error
        if answer.status_code != 200:
            raise Refused(_message(answer))
        return answer


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the rollout service answered {answer.status_code}: {answer.text[:200]}"

"""The rollout service as the verbs see it."""

import socket
from typing import TypeVar
from urllib.parse import quote

import httpx

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
from services.contract.errors import LiveChanged, Refused, SteppedBack, Unavailable
from services.contract.ledger import Audit, JournalEntry, LedgerNote
from services.contract.prediction_log import LoggedPrediction, LogQuery
from services.contract.record import Record
from services.contract.rollout_step import StepStatus
from services.contract.transport import trust
from services.contract.waiting import retry

Answer = TypeVar("Answer", bound=Record)
Seconds = float | httpx.Timeout
PATIENCE = 60.0  # seconds that a pipeline waits for a rollout service that is being restarted
# Longer than a rollout service gives a release to load, to answer and to be found at its address.
_CHANGE_SECONDS = 300
_ANSWER_SECONDS = 10
# A deploy takes as long as the steps of its plan, and longer where a person pauses one. So its answer has no deadline,
# and a service whose machine is gone is noticed by its system, in two minutes.
_WITHOUT_END = httpx.Timeout(_ANSWER_SECONDS, read=None)
_KEPT_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
)
# How often a deploy is asked for that the service was restarted in.
_MOST_DEPLOYS = 5
_NOT_KEPT = httpx.Limits(max_keepalive_connections=0)  # so that nobody has to close them


class Rollout:
    """Every method raises Refused when the service says no, or cannot be reached for `patience` seconds.

    What is asked for is idempotent, so it is asked again when the service was restarted in between; only a rollback
    is not, and is never asked twice.
    """

    def __init__(
        self, url: str, patience: float = 0, token: str | None = None, http: httpx.Client | None = None
    ) -> None:
        self._url, self._patience, self._token = url.rstrip("/"), patience, token
        self._http = http or httpx.Client(timeout=_CHANGE_SECONDS, verify=trust(url), limits=_NOT_KEPT)

    def without_patience(self) -> "Rollout":
        return Rollout(self._url, token=self._token)

    def state(self, model: str) -> ModelState:
        return self._ask(ModelState, "GET", f"/models/{model}")

    def states(self) -> list[ModelState]:
        """Of every model that answers or is retired."""
        return self._list(ModelState, "/models")

    def logged(self, model: str, query: LogQuery) -> list[LoggedPrediction]:
        """What its prediction log has of it, in the order of time."""
        path = f"/models/{model}/predictions"
        lines = self._send("POST", path, query).content.splitlines()
        found = [LoggedPrediction.from_json(line, self._url + path) for line in lines]
        return sorted(found, key=lambda one: one.at)

    def deployments(self, model: str) -> list[Deployment]:
        return self._list(Deployment, f"/models/{model}/deployments")

    def ledger(self, model: str) -> list[JournalEntry]:
        return self._list(JournalEntry, f"/models/{model}/ledger")

    def audit(self, model: str) -> Audit:
        return self._ask(Audit, "GET", f"/models/{model}/audit")

    def note(self, model: str, note: LedgerNote) -> None:
        self._ask(LedgerNote, "POST", f"/models/{model}/ledger", note, _ANSWER_SECONDS)

    def plan(self, model: str, to: str | None) -> RollbackPlan:
        return self._ask(RollbackPlan, "GET", f"/models/{model}/rollback{f'?to={quote(to)}' if to else ''}")

    def prune_images(self, request: PruneImages) -> PrunedImages:
        return self._ask(PrunedImages, "POST", "/images/prune", request)

    def retire(self, model: str, request: RetireRequest) -> Retirement:
        return self._ask(Retirement, "POST", f"/models/{model}/retire", request)

    def deploy(self, model: str, request: DeployRequest) -> Deployment:
        """Returns when the release has gone through its steps and is live.

        Raises LiveChanged when another release is live than the one that the request names, and SteppedBack when it
        was taken back in a step. A service that is restarted meanwhile begins it anew.
        """
        waiting, left = self._waiting(), _MOST_DEPLOYS
        while True:
            try:
                return waiting._ask(Deployment, "POST", f"/models/{model}/deploy", request, _WITHOUT_END)
            except Unavailable:
                left -= 1
                if not left:
                    raise
                self.state(model)

    def rollback(self, model: str, request: RollbackRequest) -> Deployment:
        return self.without_patience()._ask(Deployment, "POST", f"/models/{model}/rollback", request)

    def order(self, model: str, request: StepRequest) -> StepStatus | None:
        """The step as it is then; None while the release still loads."""
        path = f"/models/{model}/step"
        content = self.without_patience()._send("POST", path, request, _ANSWER_SECONDS).content
        return None if content == b"null" else StepStatus.from_json(content, self._url + path)

    def _waiting(self) -> "Rollout":
        transport = httpx.HTTPTransport(verify=trust(self._url), limits=_NOT_KEPT, socket_options=_KEPT_ALIVE)
        return Rollout(self._url, token=self._token, http=httpx.Client(transport=transport))

    def _list(self, shape: type[Answer], path: str) -> list[Answer]:
        answer = self._send("GET", path, None)
        try:
            return [shape.model_validate(one) for one in answer.json()]
        except (ValueError, TypeError) as error:
            what = f"a list of {shape.__name__} at {self._url}{path}"
            raise Refused(f"expected {what}, found something else there") from error

    def _ask(
        self,
        shape: type[Answer],
        method: str,
        path: str,
        body: Record | None = None,
        seconds: Seconds = _CHANGE_SECONDS,
    ) -> Answer:
        return shape.from_json(self._send(method, path, body, seconds).content, self._url + path)

    def _send(
        self, method: str, path: str, body: Record | None, change_seconds: Seconds = _CHANGE_SECONDS
    ) -> httpx.Response:
        content = body.model_dump(mode="json") if body else None
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        seconds = _ANSWER_SECONDS if method == "GET" else change_seconds

        def ask() -> httpx.Response:
            return self._http.request(method, self._url + path, json=content, headers=headers, timeout=seconds)

        try:
            answer = retry(ask, self._patience, (httpx.HTTPError,))
        except httpx.HTTPError as error:
            raise Unavailable(
                f"expected the rollout service at {self._url}, cannot reach it ({error}): is it up?"
            ) from error
        if answer.status_code == 401:
            raise Unavailable(
                f"expected the rollout service at {self._url} to know us, found {'another' if self._token else 'no'} "
                "token: set TRACKBACK_ROLLOUT_TOKEN_FILE or TRACKBACK_ROLLOUT_TOKEN to its own"
            )
        if answer.status_code == LIVE_CHANGED:
            raise LiveChanged(_message(answer))
        if answer.status_code == STEPPED_BACK:
            raise SteppedBack(_message(answer))
        if answer.status_code == 503:
            raise Unavailable(_message(answer))
        if answer.status_code != 200:
            raise Refused(_message(answer))
        return answer


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the rollout service answered {answer.status_code}: {answer.text[:200]}"

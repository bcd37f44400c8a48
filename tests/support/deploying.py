"""A deploy that a test leads through its steps, and what the ledger says of it."""

from threading import Thread

import httpx

from services.contract.deployment import StepOrder
from services.contract.rollout_step import StepKind
from tests.support.poll import poll_until
from tests.support.rollout_service import MODEL, RolloutService


class Deploying:
    """A deploy that goes on until its steps are over."""

    def __init__(self, rollout: RolloutService, digest: str) -> None:
        self._rollout, self._digest = rollout, digest
        self._answers: list[httpx.Response] = []
        self._thread = Thread(target=lambda: self._answers.append(rollout.deploy(digest)))
        self._thread.start()

    def reaches(self, kind: StepKind) -> None:
        poll_until(lambda: self._step() is kind or self._answers, f"the {kind}", pause=0.02)
        assert not self._answers, self._answers[0].text

    def order(self, order: StepOrder) -> None:
        asked = {"order": order, "by": "ada", "reason": "a test"}
        answer = self._rollout.http.post(f"/models/{MODEL}/step", json=asked)
        assert answer.status_code == 200, answer.text

    def ended(self) -> httpx.Response:
        self._thread.join()
        return self._answers[0]

    def _step(self) -> StepKind | None:
        found = self._rollout.model().step
        return found.step.kind if found and found.release == self._digest else None


def told(rollout: RolloutService, digest: str) -> list[tuple[str, str]]:
    """What the ledger says of a release on its way."""
    entries = rollout.http.get(f"/models/{MODEL}/ledger").json()
    return [(one["event"], one["message"]) for one in entries if one["release"] == digest]

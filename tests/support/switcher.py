"""Switches what answers while clients ask, and tells their timeline what may answer when."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.switch_timeline import Timeline
from services.contract.deployment import StepOrder
from services.contract.release import Release, ServingLimits
from services.contract.rollout_plan import Limits, RolloutPlan, Shadow, WhenInconclusive
from services.contract.rollout_step import StepKind
from tests.support.graph_release import build_graph_release
from tests.support.poll import poll_until
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_service import MODEL, RolloutService
from tests.support.steady_client import SteadyClient

# Nothing but what the one who switches orders ends the canary, and no figure of a busy machine takes a candidate back.
_ANY = Limits(errors=1, slow=1, stability=1e6, megabytes=1e6)
STEPS = RolloutPlan(
    shadow=Shadow(duration=1, share=0.5),
    canary=(0.5,),
    step=3600,
    bake=0,
    inconclusive=WhenInconclusive.PROMOTE,
    limits=_ANY,
)
_CANARY_ANSWERS = 10


class Releases:
    """One after the other, in two forms: scikit-learn's own and ONNX; they differ in their number alone."""

    def __init__(self, store: Path) -> None:
        self._store, self._number = store, 0

    def next(self, onnx: bool, rollout: RolloutPlan) -> Release:
        self._number += 1
        if onnx:
            return build_graph_release(self._store, ServingLimits(replicas=1), self._number, rollout)
        return build_release(self._store, ReleasePlan(number=self._number, rollout=rollout))


class Switcher:
    """`counts` are switches by kind, `seconds` how long answers took meanwhile; `refused` what no switch came of."""

    def __init__(self, service: RolloutService, client: SteadyClient, timeline: Timeline) -> None:
        self._service, self._client, self._timeline = service, client, timeline
        self.counts: Counter[str] = Counter()
        self.seconds = {kind: array("d") for kind in ("deploy", "steps", "rollback")}
        self.refused: list[str] = []

    def deploy(self, digest: str) -> None:
        with self._switch("deploy", digest) as end:
            end(self._service.deploy(digest))

    def roll_back(self, to: str | None = None) -> None:
        """To the release before, or to the digest `to`."""
        previous = self._service.model().previous
        assert previous
        with self._switch("rollback --to" if to else "rollback", to or previous.release) as end:
            end(self._service.rollback(to))

    def deploy_by_steps(self, digest: str, order: StepOrder = StepOrder.PROMOTE_NOW) -> None:
        """Through a shadow, in which it must not answer, and a canary that ends by `order` when it has answered."""
        kind = "steps" if order is StepOrder.PROMOTE_NOW else f"steps, {order}"
        with self._switch(kind, digest) as end, ThreadPoolExecutor(1) as pool:
            deploy = pool.submit(self._service.deploy, digest)
            poll_until(lambda: deploy.done() or self._is_in_canary(digest), "the canary", pause=0.05)
            self._see_it_answer(digest, deploy)
            if not deploy.done():
                words = {"order": order, "by": "ada", "reason": "a test"}
                self._service.http.post(f"/models/{MODEL}/step", json=words).raise_for_status()
            end(deploy.result(), taken=order is StepOrder.PROMOTE_NOW)

    @contextmanager
    def _switch(self, kind: str, digest: str) -> Iterator[Callable[..., None]]:
        def end(answer: httpx.Response, taken: bool = True) -> None:
            if answer.status_code == 200:
                self._timeline.confirm()
            else:
                self._timeline.withdraw()
            if (answer.status_code == 200) is taken:
                self.counts[kind] += 1
            else:
                self.refused.append(f"{kind}: {answer.status_code} {answer.text}")

        self._timeline.begin(digest)
        with self._client.timed(self.seconds[kind.split()[0].rstrip(",")]):
            yield end

    def _is_in_canary(self, digest: str) -> bool:
        before = self._client.answers[digest]
        status = self._service.model().step
        if status and status.step.kind is StepKind.CANARY:
            return True
        # It was in no canary when these were counted.
        if before:
            self._timeline.stale.append(f"{digest[:12]} answered {before} times before its canary: {status}")
        return False

    def _see_it_answer(self, digest: str, deploy: "Future[httpx.Response]") -> None:
        goal = self._client.answers[digest] + _CANARY_ANSWERS
        poll_until(
            lambda: deploy.done() or self._client.answers[digest] >= goal, "answers of the candidate", pause=0.02
        )

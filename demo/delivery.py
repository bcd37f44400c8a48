"""Follows the delivery of one promotion through its pipelines, by GoCD's API."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from services.contract import names
from services.contract.errors import Refused
from services.gocd.client import GoCD, Json
from services.gocd.instances import OVER, has_ended, has_passed, is_downstream, promotes, results

# A net: the gates have limits of their own.
DELIVERY_SECONDS = 1800


@dataclass(frozen=True)
class Delivery:
    """The pipeline instances that one promotion caused; `online` is None when a gate stopped it."""

    build: Json
    online: Json | None

    @property
    def stopped_at(self) -> str | None:
        """The stage that failed, None when all passed."""
        found = {**results(self.build), **(results(self.online) if self.online else {})}
        return next((stage for stage, result in found.items() if result == "Failed"), None)


class DeliveryFollower:
    """Prints each stage as it ends."""

    def __init__(self, gocd_url: str, say: Callable[[str], None]) -> None:
        self._url, self._say = gocd_url, say

    def follow(self, model: str, run_id: str) -> Delivery:
        """Returns when the model is live or a gate has failed. Raises Refused when neither happens in time."""
        build = self._follow(model, lambda instance: promotes(instance, run_id))
        if not has_passed(build):
            return Delivery(build, None)
        return Delivery(build, self._follow(_online(model), lambda one: is_downstream(one, build), is_live))

    def follow_watch(self, model: str, build: Json) -> Json:
        """Returns when what is live was watched to the end, or taken back."""
        return self._follow(
            _online(model), lambda instance: is_downstream(instance, build), already={names.DEPLOY_STAGE}
        )

    def follow_batch(self, model: str, build: Json) -> Json:
        """Returns when the release's machine image has scored, or a stage has failed."""
        return self._follow(f"{model}{names.BATCH}", lambda instance: is_downstream(instance, build), timed=True)

    def _follow(
        self,
        pipeline: str,
        is_ours: Callable[[Json], bool],
        is_over: Callable[[Json], bool] = has_ended,
        timed: bool = False,
        already: Collection[str] = (),
    ) -> Json:
        shown = set(already)
        began = time.monotonic()
        for instance in self._instances(pipeline, is_ours):
            over = {stage: result for stage, result in results(instance).items() if result in OVER}
            for stage, result in over.items():
                if stage not in shown:
                    after = f" after {time.monotonic() - began:.1f} s" if timed else ""
                    self._say(f"  {pipeline} {instance['counter']}  {stage:9} {result}{after}")
            shown |= over.keys()
            if is_over(instance):
                return instance
        raise Refused(f"expected pipeline {pipeline} to end within {DELIVERY_SECONDS} s: see {self._url}")

    def _instances(self, pipeline: str, is_ours: Callable[[Json], bool]) -> Iterator[Json]:
        deadline = time.monotonic() + DELIVERY_SECONDS
        with GoCD(self._url) as gocd:
            while time.monotonic() < deadline:
                yield from (instance for instance in gocd.history(pipeline)[:1] if is_ours(instance))
                time.sleep(0.1)


def is_live(instance: Json) -> bool:
    """Or stopped before it was: what comes after `deploy` only watches."""
    return has_ended(instance) or results(instance)[names.DEPLOY_STAGE] == "Passed"


def _online(model: str) -> str:
    return f"{model}-online"

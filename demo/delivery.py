"""Follows the delivery of one promotion through its two pipelines, by GoCD's API."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from services.contract.errors import Refused
from services.gocd.client import GoCD, Json

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
        stages = [*self.build["stages"], *(self.online["stages"] if self.online else [])]
        return next((stage["name"] for stage in stages if stage.get("result") == "Failed"), None)


class DeliveryFollower:
    """Prints each stage as it ends."""

    def __init__(self, gocd_url: str, say: Callable[[str], None]) -> None:
        self._url, self._say = gocd_url, say

    def follow(self, model: str, run_id: str) -> Delivery:
        """Returns when the model is live or a gate has failed. Raises Refused when neither happens in time."""
        build = self._follow(model, _promotes(run_id))
        if any(stage.get("result") != "Passed" for stage in build["stages"]):
            return Delivery(build, None)
        return Delivery(build, self._follow(f"{model}-online", _caused_by(build)))

    def _follow(self, pipeline: str, is_ours: Callable[[Json], bool]) -> Json:
        shown: set[str] = set()
        for instance in self._instances(pipeline, is_ours):
            for stage in instance["stages"]:
                result = stage.get("result", "Unknown")
                if stage["name"] not in shown and result in ("Passed", "Failed", "Cancelled"):
                    shown.add(stage["name"])
                    self._say(f"  {pipeline} {instance['counter']}  {stage['name']:9} {result}")
            results = [stage.get("result", "Unknown") for stage in instance["stages"]]
            if "Failed" in results or "Cancelled" in results or set(results) == {"Passed"}:
                return instance
        raise Refused(f"expected pipeline {pipeline} to end within {DELIVERY_SECONDS} s: see {self._url}")

    def _instances(self, pipeline: str, is_ours: Callable[[Json], bool]) -> Iterator[Json]:
        deadline = time.monotonic() + DELIVERY_SECONDS
        with GoCD(self._url) as gocd:
            while time.monotonic() < deadline:
                yield from (instance for instance in gocd.history(pipeline)[:1] if is_ours(instance))
                time.sleep(0.1)


def _promotes(run_id: str) -> Callable[[Json], bool]:
    def is_ours(instance: Json) -> bool:
        return bool(_revision(instance).endswith(f"-{run_id[:8]}"))

    return is_ours


def _caused_by(build: Json) -> Callable[[Json], bool]:
    def is_ours(instance: Json) -> bool:
        return _revision(instance).startswith(f"{build['name']}/{build['counter']}/")

    return is_ours


def _revision(instance: Json) -> str:
    revisions: list[Any] = instance["build_cause"]["material_revisions"]
    return str(revisions[0]["modifications"][0]["revision"]) if revisions else ""

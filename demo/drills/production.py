"""Releases that are bad only in production: each is deployed under load, and has to be taken back by itself.

One that a person sends on by hand, before anything was found, is judged in its bake.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from demo.drills.played import Played
from demo.drills.table import lines
from services.contract.deployment import ANALYSIS, ModelState
from services.contract.errors import Refused
from services.contract.ledger import JournalEntry, JournalEvent
from services.contract.waiting import wait_until

# They show, or do most harm, with all of the traffic.
IN_BAKE = ("leaks", "slow-together")
# What a person on call expects: that the checks of these names say it.
CHECKS = {"misses-some-rows": "errors", "drifts": "answers", "leaks": "memory", "slow-together": "latency"}
MOST_SECONDS_TO_RETURN = 2.0
_PATIENCE = 600.0
HEAD = ("planted", "taken back in", "requests it answered", "failed requests", "until only the old one answers", "why")


class Service(Protocol):
    """A rollout service of one model."""

    @property
    def url(self) -> str: ...

    def deploy(self, digest: str) -> httpx.Response: ...

    def order(self, order: str) -> httpx.Response: ...

    def model(self) -> ModelState: ...

    def ledger(self) -> list[JournalEntry]: ...


@dataclass(frozen=True)
class TakenBack:
    """`requests` are those that it answered until then, `failed` what clients met meanwhile, `seconds` how long after
    the verdict it still answered one."""

    kind: str
    step: str
    why: str
    requests: int
    failed: int
    seconds: float

    @property
    def as_expected(self) -> bool:
        told = f" {CHECKS[self.kind]}: expected " in self.why
        return told and not self.failed and self.seconds <= MOST_SECONDS_TO_RETURN


def drill(service: Service, live: str, planted: Mapping[str, str], bodies: Sequence[bytes]) -> Iterator[TakenBack]:
    """`planted` are releases by their kind. Raises Refused when one is not taken back."""
    if (answer := service.deploy(live)).status_code != 200:
        raise Refused(f"expected the live release to be deployed, found {answer.text}")
    with Played(f"{service.url}/invocations", bodies) as played:
        wait_until(lambda: played.answers[live] > 0, "the first answers", _PATIENCE)
        for kind, release in planted.items():
            yield _drilled(service, played, live, kind, release)


def _drilled(service: Service, played: Played, live: str, kind: str, release: str) -> TakenBack:
    failed = len(played.failures)
    with ThreadPoolExecutor(1) as pool:
        deployed = pool.submit(service.deploy, release)
        if kind in IN_BAKE:
            wait_until(lambda: service.model().step is not None, f"the canary of {kind}", _PATIENCE)
            service.order("promote-now")
        why = deployed.result().json().get("message", "")
    if kind in IN_BAKE:
        wait_until(lambda: _went_back(service, live), f"the end of {kind}", _PATIENCE)
        back = service.model().live
        why = back.reason if back else ""
    asked = played.answers[live]
    wait_until(lambda: played.answers[live] > asked + 50, "answers of the release before", _PATIENCE)
    verdict = next(one for one in reversed(service.ledger()) if one.message.endswith("was not good"))
    late = max(0.0, played.answers.last.get(release, 0.0) - verdict.at.timestamp())
    step = verdict.message.removesuffix(" was not good")
    return TakenBack(kind, step, why, played.answers[release], len(played.failures) - failed, late)


def _went_back(service: Service, live: str) -> bool:
    """By itself, and not by a person. Raises Refused when it was found good."""
    if service.ledger()[-1].event is JournalEvent.RELEASED:
        raise Refused("expected it to be taken back in its bake, found that it was good")
    found = service.model().live
    return found is not None and (found.release, found.by) == (live, ANALYSIS)


def table(found: Sequence[TakenBack]) -> str:
    return lines([HEAD, *map(_row, found)])


def _row(one: TakenBack) -> tuple[str, ...]:
    return f"`{one.kind}`", one.step, f"{one.requests}", f"{one.failed}", f"{one.seconds:.2f} s", one.why


def bodies_of(file: Path) -> list[bytes]:
    """A request a line."""
    return file.read_bytes().splitlines()

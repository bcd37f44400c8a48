"""watch.html: how the rollout of a release ended, and by which checks."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.contract.verdict import Check
from services.contract.watched import Watched, WatchedStep


@dataclass(frozen=True)
class WatchedView:
    title: str
    headline: str
    checks: tuple[Check, ...]
    steps: tuple[WatchedStep, ...]
    facts: tuple[tuple[str, str], ...]


def watched_view(watched: Watched) -> WatchedView:
    return WatchedView(
        title=f"Rollout of {watched.model}, revision {watched.revision}",
        headline=watched.words,
        checks=watched.checks,
        steps=watched.steps,
        facts=tuple(_facts(watched)),
    )


def _facts(watched: Watched) -> Iterator[tuple[str, str]]:
    yield "ended as", watched.ending
    yield "verdict", watched.verdict
    yield "release", watched.release
    yield "run", watched.run_id

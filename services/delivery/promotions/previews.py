"""Schedules each preview that GoCD passed over: unlike promotions, a newer one does not stand for those before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.contract import names
from services.delivery.promotions.outcomes import fingerprint
from services.delivery.promotions.promoted import Promoted
from services.gocd.client import GoCD, Json, Unknown
from services.gocd.instances import has_ended, passed_over

# Rounds without anything to do after which GoCD is asked no more, until another run is tagged.
CALM_ROUNDS = 10
_INSTANCES = 50


@dataclass
class _Watched:
    asked_for: frozenset[str]
    calm: int = 0


class ScheduleEachPreview:
    """Of the revisions that come while its pipeline runs, GoCD runs the newest and lists the others with it."""

    def __init__(self, gocd: GoCD, promoted: Promoted, say: Callable[[str], None]) -> None:
        self._gocd, self._promoted, self._say = gocd, promoted, say
        self._watched: dict[str, _Watched] = {}

    def __call__(self, model: str) -> None:
        """While nothing is tagged, and some rounds after all is over, GoCD is not asked."""
        pipeline = f"{model}{names.PREVIEW}"
        asked_for = self._promoted.of(pipeline)
        watched = self._watched.setdefault(pipeline, _Watched(frozenset()))
        if watched.asked_for != asked_for:
            watched = self._watched[pipeline] = _Watched(asked_for)
        if not asked_for or watched.calm >= CALM_ROUNDS:
            return
        try:
            built = self._gocd.history(pipeline, _INSTANCES)
        except Unknown:
            return
        watched.calm = 0 if self._goes_on(pipeline, built) else watched.calm + 1

    def _goes_on(self, pipeline: str, built: Sequence[Json]) -> bool:
        if not all(map(has_ended, built)):
            return True
        package, left = fingerprint(built), passed_over(built)
        if not package or not left:
            return False
        self._gocd.schedule(pipeline, package, left[0])
        self._say(f"{pipeline}: {left[0]} was passed over: it is judged now")
        return True

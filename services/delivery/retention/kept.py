"""Which releases of a model stay: what answers or did before, what came last, and what something refers to."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.contract.deployment import ModelState
from services.contract.release import Manifest
from services.delivery.store import Store


@dataclass(frozen=True)
class Stored:
    """A release in the store."""

    digest: str
    manifest: Manifest

    @property
    def number(self) -> int:
        return self.manifest.candidate.promotion.number

    def __str__(self) -> str:
        return f"{self.manifest.model} {self.manifest.revision}"


def kept(store: Store, stored: Iterable[Stored], state: ModelState, newest: int) -> set[str]:
    """Digests. `stored` are all of one model; a promotion that may still be delivered is newer than what is live."""
    found = sorted(stored, key=lambda one: one.number, reverse=True)
    live = state.live.number if state.live else 0
    return {
        *(one.digest for one in found[:newest]),
        *(one.digest for one in found if one.number > live),
        *state.releases(),
        *(one.digest for one in found if store.refers_to(one.digest)),
    }

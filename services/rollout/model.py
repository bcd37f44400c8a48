"""Deploy and rollback of one model, one at a time."""

from datetime import UTC, datetime
from threading import Lock

from services.contract.deployment import Action, Deployment, DeployRequest, ModelState, RollbackRequest
from services.contract.errors import Refused
from services.contract.notification import NotificationKind
from services.rollout.fence import check_fence, check_live
from services.rollout.release_store import StoredRelease
from services.rollout.serving import Serving
from services.rollout.state import JournalEvent
from services.rollout.traffic import Dependencies, Traffic


class ModelRollout:
    """`_changes` is held for the whole of a deploy or rollback, and always taken before the lock of `traffic`.

    The watches take that one alone, so a restart of what is live need not wait for a candidate that loads.
    """

    def __init__(self, name: str, dependencies: Dependencies) -> None:
        self._name = name
        self._dependencies = dependencies
        self._changes = Lock()
        self.traffic = Traffic(name, dependencies)

    def state(self) -> ModelState:
        pointer, answering = self.traffic.pointer, self.traffic.answering()
        outage = self.traffic.outages.current if not answering else None
        return ModelState(
            model=self._name,
            url=self.traffic.url,
            answering=answering,
            down_since=outage.since if outage else None,
            reason=outage.reason if outage else "",
            live=pointer.live if pointer else None,
            previous=pointer.previous if pointer else None,
        )

    def deployments(self) -> list[Deployment]:
        return self.traffic.files.deployments()

    def deploy(self, request: DeployRequest) -> Deployment:
        """Returns the new deployment, or the live one when this release is live already.

        Raises LiveChanged when another release is live than the request expects, and Refused for a candidate that does
        not pass its checks; then what was live goes on. What is live cannot change between the check and the switch.
        """
        with self._changes:
            release = self._dependencies.store.find(self._name, request.release)
            number = release.manifest.candidate.promotion.number
            if standing := check_fence(self.traffic.pointer, release.digest, number):
                return standing
            check_live(self.traffic.pointer, request.in_place_of)
            candidate = self._prepare(release)
            deployment = _new_deployment(release, request)
            self.traffic.switch(candidate, deployment)
            return deployment

    def rollback(self, request: RollbackRequest) -> Deployment:
        """To the release that was live before; a second rollback undoes the first. Raises Refused."""
        with self._changes:
            pointer = self.traffic.pointer
            if not pointer or not (target := pointer.previous):
                raise Refused(f"expected a release of {self._name} before the live one, found none to return to")
            ready = self.traffic.warm(target.release)
            ready = ready or self._prepare(self._dependencies.store.find(self._name, target.release))
            changes = {"action": Action.ROLLBACK, "at": datetime.now(UTC), "by": request.by, "reason": request.reason}
            deployment = target.model_copy(update=changes)
            self.traffic.switch(ready, deployment)
            words = f"{pointer.live.revision} was rolled back to it by {request.by}: {request.reason}"
            self._dependencies.notifier.tell(NotificationKind.ROLLBACK, deployment, words, by=request.by)
            return deployment

    def _prepare(self, release: StoredRelease) -> Serving:
        """A candidate that is loaded and passed its checks, without traffic. Raises Refused."""
        self.traffic.record(JournalEvent.STARTED, release.digest)
        try:
            candidate = self._dependencies.backend.start(release)
            _check(candidate, release)
        except Refused as refusal:
            self.traffic.record(JournalEvent.REFUSED, release.digest, str(refusal))
            raise
        return candidate


def _check(candidate: Serving, release: StoredRelease) -> None:
    try:
        candidate.wait_ready()
        candidate.check(release)
    except Refused:
        candidate.kill()
        raise


def _new_deployment(release: StoredRelease, request: DeployRequest) -> Deployment:
    return Deployment(
        model=release.manifest.model,
        revision=release.manifest.revision,
        release=release.digest,
        run_id=release.manifest.candidate.promotion.run_id,
        model_id=release.manifest.candidate.promotion.model_id,
        action=Action.DEPLOY,
        at=datetime.now(UTC),
        by=request.by,
        reason=request.reason,
    )

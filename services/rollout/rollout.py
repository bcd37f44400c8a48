"""All models of this machine, found again at the start and watched until the end."""

import logging
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread

from services.contract.deployment import (
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
from services.contract.errors import Refused
from services.contract.ledger import Audit, JournalEntry, LedgerNote
from services.contract.prediction_log import LogQuery
from services.contract.rollout_step import StepStatus
from services.rollout.metrics import Measured, exposition
from services.rollout.model import ModelRollout
from services.rollout.serving_metrics import scrape
from services.rollout.state import ModelFiles, known_models, make_key, remove_half_written
from services.rollout.traffic import Dependencies

# An end wakes the watches at once; they look all the same for what wakes nobody, such as a machine that slept.
IDLE_SECONDS, RETRY_SECONDS = 5.0, 0.2
log = logging.getLogger(__name__)


class Rollout:
    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._models: dict[str, ModelRollout] = {}
        self._lock = Lock()
        self._closing = Event()
        self._wake = Event()

    def open(self) -> None:
        """Adopts what an earlier service left running; the watch of a model starts what should be live and is not."""
        remove_half_written(self._dependencies.state)
        make_key(self._dependencies.state)
        found = self._dependencies.backend.adopt()
        for name in sorted({*known_models(self._dependencies.state), *(serving.model for serving in found)}):
            model = ModelRollout(name, self._dependencies)
            model.traffic.recover([serving for serving in found if serving.model == name])
            model.resume_bake()
            self._watch(name, model)
        self._dependencies.backend.watch(self._wake_all)
        Thread(target=self._keep_known, name="keep-known", daemon=True).start()

    def close(self) -> None:
        """Ends everything that serves; the state keeps what is live, and steps begin anew with the next service."""
        self._closing.set()
        for model in list(self._models.values()):
            model.steps.stop()
        self._wake_all()
        self._dependencies.backend.close()
        self._dependencies.notifier.close()

    def states(self) -> list[ModelState]:
        states = [model.state() for _, model in sorted(self._models.items())]
        return [state for state in states if state.live or state.retired]

    def metrics(self) -> str:
        models = [model for _, model in sorted(self._models.items())]
        return exposition(Measured.of(model.state(), model.traffic.files) for model in models)

    def serving_metrics(self) -> str:
        """Of all that is loaded, each with the labels of its model, replica, release and role."""
        return scrape([(one, self.state(one.model).role(one.release)) for one in self._dependencies.backend.scraped()])

    def logged(self, name: str, query: LogQuery) -> Iterator[bytes]:
        """Lines of a model's prediction log. Raises Refused when it cannot be read now."""
        return filter(query.matches, self._dependencies.backend.logged(name))

    def prune_images(self, request: PruneImages) -> PrunedImages:
        """Of releases that the store has no more; what answers, did before or is on its way stays in any case."""
        recorded = self._dependencies.store.with_images()
        # A store without any is one that is not there: nothing is known then.
        kept = recorded - set(request.gone) | set(self._in_use())
        removed = self._dependencies.backend.prune_images(kept, request.dry_run) if recorded else []
        return PrunedImages(removed=tuple(removed))

    def _in_use(self) -> Iterator[str]:
        for state in [model.state() for model in list(self._models.values())]:
            yield from state.releases()

    def state(self, name: str) -> ModelState:
        if model := self._models.get(name):
            return model.state()
        return ModelState(model=name, url=None, answering=False, live=None, previous=None)

    def deployments(self, name: str) -> list[Deployment]:
        model = self._models.get(name)
        return model.deployments() if model else []

    def deploy(self, name: str, request: DeployRequest) -> Deployment:
        return self._model(name).deploy(request)

    def rollback(self, name: str, request: RollbackRequest) -> Deployment:
        return self._known(name).rollback(request)

    def plan(self, name: str, to: str | None) -> RollbackPlan:
        return self._known(name).plan(to)

    def retire(self, name: str, request: RetireRequest) -> Retirement:
        return self._known(name).retire(request)

    def obey(self, name: str, request: StepRequest) -> StepStatus | None:
        return self._known(name).obey(request)

    def ledger(self, name: str) -> list[JournalEntry]:
        return list(ModelFiles(self._dependencies.state, name).entries())

    def audit(self, name: str) -> Audit:
        return ModelFiles(self._dependencies.state, name).audit()

    def note(self, name: str, note: LedgerNote) -> LedgerNote:
        return self._model(name).note(note)

    def _known(self, name: str) -> ModelRollout:
        """A name that nobody delivered to is not watched from here on."""
        if model := self._models.get(name):
            return model
        raise Refused(
            f"expected a model that has answered, found '{name}': known are {', '.join(self._models) or 'none'}"
        )

    def _model(self, name: str) -> ModelRollout:
        with self._lock:
            if name not in self._models:
                self._watch(name, ModelRollout(name, self._dependencies))
            return self._models[name]

    def _watch(self, name: str, model: ModelRollout) -> None:
        self._models[name] = model
        # Apart, because what is live must be looked at while one more of it loads.
        for keep in (model.traffic.keep_answering, model.traffic.keep_complete, model.steps.remember):
            watch = (keep, model.traffic.wake_event())
            Thread(target=self._keep, args=watch, name=f"{keep.__name__}-{name}", daemon=True).start()

    def _keep(self, look: Callable[[], bool], wake: Event) -> None:
        while not self._closing.is_set():
            wake.clear()
            try:
                well = look()
            # Such as a full disk: the watch must go on.
            except Exception:
                log.exception("watch of a model failed, it goes on")
                well = False
            wake.wait(IDLE_SECONDS if well else RETRY_SECONDS)

    def _keep_known(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            live = [name for name, model in list(self._models.items()) if model.traffic.live]
            try:
                self._dependencies.backend.publish(live)
            except Refused as refusal:
                log.debug("not published: %s", refusal)
            self._wake.wait(IDLE_SECONDS)

    def _wake_all(self) -> None:
        for model in list(self._models.values()):
            model.traffic.wake()
        self._wake.set()

"""A deploy that somebody waits for: it says in which step the candidate is, and aborts it when it is ended itself."""

import getpass
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from services.contract.deployment import Deployment, DeployRequest, ModelState, StepOrder, StepRequest
from services.contract.errors import Refused
from services.contract.rollout_step import StepKind
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import say
from services.delivery.takeover.progress import Progress
from services.delivery.takeover.words import step_words

LOOK_SECONDS = 1.0
_ABORT_SECONDS = 0.1


def deploy_attended(
    rollout: Rollout, model: str, request: DeployRequest, say: Callable[[str], None] = say
) -> Deployment:
    """Raises what `rollout.deploy` does. On a signal that ends this program the candidate is aborted first."""
    asking = _Asking(lambda: rollout.deploy(model, request))
    at_once, progress = rollout.without_patience(), Progress(say)
    try:
        while not asking.over.wait(LOOK_SECONDS):
            with suppress(Refused):
                progress.tell(*_shown(at_once.state(model), request.release))
    except (KeyboardInterrupt, SystemExit):
        say(_aborted(at_once, model, request, asking))
        raise
    return asking.answer()


class _Asking:
    """Asks in a thread of its own, which ends with the program."""

    def __init__(self, ask: Callable[[], Deployment]) -> None:
        self.over = Event()
        self._ask = ask
        self._deployment: Deployment | None = None
        self._error: BaseException | None = None
        Thread(target=self._run, name="deploy", daemon=True).start()

    def answer(self) -> Deployment:
        if self._deployment is None:
            raise self._error or Refused("expected an answer of the rollout service, found none: run this stage again")
        return self._deployment

    def _run(self) -> None:
        try:
            self._deployment = self._ask()
        except BaseException as error:
            # Raised where it is waited for.
            self._error = error
        finally:
            self.over.set()


def _shown(state: ModelState, release: str) -> tuple[str, str]:
    step = state.step
    if step is None or step.release != release or step.step.kind is StepKind.BAKE:
        return "loading", "the candidate is in no step: it loads, waits for another one, or is about to be live"
    return f"{step.step}, {step.paused}", step_words(step)


def _aborted(rollout: Rollout, model: str, request: DeployRequest, asking: _Asking) -> str:
    """Tries until the rollout service has heard it, or has answered what was asked: nothing goes live unseen."""
    order = StepRequest(
        order=StepOrder.ABORT,
        by=getpass.getuser(),
        reason="the stage deploy was ended before the candidate was live",
        release=request.release,
    )
    while not asking.over.is_set():
        with suppress(Refused):
            rollout.order(model, order)
            return f"aborted: release {request.release[:12]}… of {model} does not go live"
        asking.over.wait(_ABORT_SECONDS)
    try:
        live = asking.answer()
    except Refused as refused:
        return str(refused)
    return f"{live.revision} went live before it could be aborted: trackback rollback {model} takes it back"

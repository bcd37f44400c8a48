"""What the follower brings about for each model: its experiment, its package, and a poll of what GoCD has not seen."""

from collections.abc import Callable
from dataclasses import dataclass

from services.contract import names
from services.contract.errors import Refused
from services.delivery.clients.tracking import Tracking
from services.delivery.promotions.promoted import Promoted
from services.gocd.client import GoCD, Json
from services.gocd.definitions import PACKAGES, PACKAGES_VERSION, package, polled, previews
from services.gocd.setup import Step, refuse_unfinished, set_up

# A poll that goes on failing is asked for again after so many rounds at most.
LONGEST_REST = 16
_NO_PIPELINE = "expected a pipeline that has its package in GoCD, found none: add one"


class DefineExperiment:
    """Creates the experiment of a model in MLflow where it is missing, because without it every poll fails."""

    def __init__(self, tracking: Tracking, promoted: Promoted, say: Callable[[str], None]) -> None:
        self._tracking, self._promoted, self._say = tracking, promoted, say
        self._done: set[str] = set()

    def __call__(self, model: str) -> None:
        if model in self._done:
            return
        if name := missing_experiment(self._tracking, self._promoted, model):
            create_experiment(self._tracking, name, self._say)
            self._promoted.forget()
        self._done.add(model)


class DefinePackage:
    """Creates the packages of a model in GoCD where one is missing, which a new model's pipelines wait for."""

    def __init__(self, gocd: GoCD, promoted: Promoted, say: Callable[[str], None]) -> None:
        self._gocd, self._promoted, self._say = gocd, promoted, say

    def __call__(self, model: str) -> None:
        wanted = [package(model, followed=True), previews(model)]
        if missing := [one for one in wanted if self._promoted.watch(one.id) is None]:
            steps = list(set_up(self._gocd, missing, self._say))
            self._promoted.forget()
            refuse_unfinished(steps)


class KeepPolled:
    """Lets GoCD's timer poll the package of a model as soon as something is promoted, also while nobody follows."""

    def __init__(self, gocd: GoCD, promoted: Promoted, say: Callable[[str], None]) -> None:
        self._gocd, self._promoted, self._say = gocd, promoted, say

    def __call__(self, model: str) -> None:
        watch = self._promoted.watch(model)
        if watch and not watch.polled and self._promoted.of(model):
            self._gocd.change(f"{PACKAGES}/{model}", PACKAGES_VERSION, polled)
            self._promoted.forget()
            self._say(f"{model} is promoted: GoCD polls its package from now on")


def missing_experiment(tracking: Tracking, promoted: Promoted, model: str) -> str | None:
    """Its name, when the package of a model waits for one that MLflow has not."""
    watch = promoted.watch(model)
    name = watch.experiment if watch else model
    return name if name and tracking.experiment(name) is None else None


def create_experiment(tracking: Tracking, name: str, say: Callable[[str], None], dry_run: bool = False) -> Step:
    step = Step(kind="experiment", id=name, outcome="would create" if dry_run else "created")
    if not dry_run:
        tracking.create_experiment(name)
    say(str(step))
    return step


@dataclass
class Progress:
    """How far GoCD is with what is promoted; `revision` is the newest that it had when it was asked."""

    promotions: frozenset[str]
    asked: bool = False
    revision: str | None = None
    seen: bool = False
    failures: int = 0
    rest: int = 0
    problem: str = ""


class AskForPoll:
    """Lets GoCD poll a package at once, until a poll that began after the promotion has found nothing more.

    GoCD reports one promotion a poll, and after a failed one it rests for minutes. While MLflow does not answer, or
    nothing is promoted, it is not asked: its poll would fail, and a failure begins the rest anew.
    """

    wanted = "is promoted"

    def __init__(self, gocd: GoCD, promoted: Promoted, say: Callable[[str], None]) -> None:
        self._gocd, self._promoted, self._say = gocd, promoted, say
        self._progress: dict[str, Progress] = {}

    def __call__(self, model: str) -> None:
        """`model` is the id of a package."""
        if not (promotions := self._promotions(model)):
            return
        progress = self._progress.get(model)
        if progress is None or progress.promotions != promotions:
            progress = self._progress[model] = Progress(promotions)
        if progress.rest:
            progress.rest -= 1
        elif not progress.seen:
            self._ask(model, progress)
        if progress.problem:
            raise Refused(f"{model} {self.wanted}: {progress.problem}")

    def _promotions(self, model: str) -> frozenset[str]:
        try:
            return self._promoted.of(model)
        except Refused:
            # Polls may have failed meanwhile as well, so GoCD is asked once more for each model.
            self._progress.clear()
            raise

    def _ask(self, model: str, progress: Progress) -> None:
        material = self._gocd.package_material(model)
        if material is None:
            progress.problem, progress.rest = _NO_PIPELINE, LONGEST_REST
        elif not material["material_update_in_progress"]:
            self._ask_for(model, progress, material)

    def _ask_for(self, model: str, progress: Progress, material: Json) -> None:
        revision, failure = (material["modification"] or {}).get("revision"), _failure(material)
        progress.seen = progress.asked and progress.revision == revision and not failure
        progress.problem = ""
        if progress.seen or not self._gocd.trigger_update(material["config"]["fingerprint"]):
            return
        if not progress.asked:
            self._say(f"{model} {self.wanted} in MLflow: asked GoCD to poll its package")
        elif failure:
            progress.problem = f"expected GoCD to poll its package, found: {failure}"
            progress.rest = min(2**progress.failures, LONGEST_REST)
            progress.failures += 1
        progress.asked, progress.revision = True, revision


class AskForPreview(AskForPoll):
    """The same for the package of a model's previews."""

    wanted = "is asked for"

    def __call__(self, model: str) -> None:
        super().__call__(f"{model}{names.PREVIEW}")


def _failure(material: Json) -> str | None:
    """Why the last poll failed, in GoCD's words."""
    for message in material["messages"]:
        return " ".join(str(message["description"]).split())
    return None

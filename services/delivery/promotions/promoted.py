"""What is promoted in MLflow, as the package of each model asks for it: one small search a round for all models."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice

from services.contract import names
from services.contract.errors import Refused
from services.delivery.clients.tracking import TaggedRun, Tracking
from services.gocd.client import GoCD, Json

# So many known runs are looked at again each round: a tag has no time by which those that changed could be found.
AGAIN = 5
# What changes seldom is read in one round of so many.
SELDOM = 30
# A preview may wait a little, and a model at rest costs no search of its own for it.
PREVIEW_ROUNDS = 10


@dataclass(frozen=True)
class Watch:
    """What a package waits for: a tag on runs of an experiment; without one, an alias of a registered model.

    `polled` is whether GoCD polls it by its timer.
    """

    experiment: str = ""
    tag: str = names.PROMOTE_TAG
    registered_model: str = ""
    alias: str = ""
    polled: bool = True


def watch_of(package: Json) -> Watch:
    """As the plugin reads the package's fields (plugin/README.md)."""
    fields = {item["key"]: item.get("value") or "" for item in package["configuration"]}
    return Watch(
        experiment=fields.get("EXPERIMENT", ""),
        tag=fields.get("TAG") or names.PROMOTE_TAG,
        registered_model=fields.get("REGISTERED_MODEL", ""),
        alias=fields.get("ALIAS", ""),
        polled=package["auto_update"],
    )


class TaggedRuns:
    """The runs with a tag that have ended; those that are known cost nothing but a look at a few of them in turn."""

    def __init__(self, tracking: Tracking, tag: str) -> None:
        self._tracking, self._tag = tracking, tag
        self._known: dict[str, TaggedRun] = {}

    def look(self, experiments: list[str]) -> None:
        again = list(islice(self._known, AGAIN))
        but = [run_id for run_id in self._known if run_id not in again]
        found = list(self._tracking.tagged(experiments, self._tag, but))
        for run_id in again:
            del self._known[run_id]
        self._known.update((run.run_id, run) for run in found)

    def of(self, experiment: str) -> frozenset[str]:
        runs = self._known.values()
        return frozenset(f"{run.run_id} {run.value}" for run in runs if run.experiment_id == experiment)


class Promoted:
    """Of all packages together; whoever asks says when a round begins. Everything raises Refused."""

    def __init__(self, gocd: GoCD, tracking: Tracking) -> None:
        self._gocd, self._tracking = gocd, tracking
        self._tags: dict[str, TaggedRuns] = {}
        self._watches: dict[str, Watch] | None = None
        self._ids: dict[str, str] | None = None
        self._searched = False
        self._problem = ""
        self._rounds = 0

    def begin(self) -> None:
        """A round: what is asked for from now on is not what was found before."""
        self._searched, self._problem = False, ""
        self._rounds += 1
        if self._rounds % SELDOM == 0:
            self.forget()

    def forget(self) -> None:
        """What changes seldom is read anew."""
        self._watches, self._ids, self._searched = None, None, False

    def watch(self, model: str) -> Watch | None:
        """None when GoCD has no package of that name in our repository."""
        return self._packages().get(model)

    def of(self, model: str) -> frozenset[str]:
        """Texts of which each tells one promotion from any other; none when nothing is promoted."""
        watch = self.watch(model)
        if watch is None:
            return frozenset()
        if not watch.experiment:
            version = self._tracking.version(watch.registered_model, watch.alias)
            return frozenset([version] if version else [])
        self._search()
        experiment = self._experiments().get(watch.experiment)
        return self._tags[watch.tag].of(experiment) if experiment else frozenset()

    def _search(self) -> None:
        if self._searched:
            return
        if self._problem:
            raise Refused(self._problem)
        try:
            self._search_all()
        except Refused as refused:
            # One that hangs is not waited for by every model of the round.
            self._problem = str(refused)
            raise
        self._searched = True

    def _search_all(self) -> None:
        wanted = defaultdict(list)
        for watch in self._packages().values():
            if experiment := self._experiments().get(watch.experiment):
                wanted[watch.tag].append(experiment)
        for tag, experiments in wanted.items():
            if tag != names.PREVIEW_TAG or tag not in self._tags or self._rounds % PREVIEW_ROUNDS == 0:
                self._tags.setdefault(tag, TaggedRuns(self._tracking, tag)).look(experiments)

    def _packages(self) -> dict[str, Watch]:
        if self._watches is None:
            ours = [it for it in self._gocd.packages() if it["package_repo"]["id"] == names.REPOSITORY_ID]
            self._watches = {str(package["id"]): watch_of(package) for package in ours}
        return self._watches

    def _experiments(self) -> dict[str, str]:
        """Ids by name, again and again: of an id that is gone, MLflow only says that it has no runs."""
        if self._ids is None:
            wanted = {watch.experiment for watch in self._packages().values() if watch.experiment}
            self._ids = {name: found for name in sorted(wanted) if (found := self._tracking.experiment(name))}
        return self._ids

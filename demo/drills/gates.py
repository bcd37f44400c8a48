"""Takes a planted run through the gates as the pipeline does, from fetch to package, and says where it stops."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo.drills.catalogue import Plant
from demo.drills.planted_run import PlantedRun
from services.contract.candidate import Candidate
from services.contract.deployment import Action, Deployment
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.contract.verdict import Check, Verdict
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import packaged
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated

COMPARE = "compare"


@dataclass(frozen=True)
class Stop:
    """A gate that says no, by `fail` or `inconclusive`, in its words."""

    gate: str
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Outcome:
    """Where a candidate stopped, and what validate warned of; `release` is what one became that passed every gate."""

    plant: Plant
    stops: tuple[Stop, ...] = ()
    warnings: tuple[str, ...] = ()
    release: Release | None = None

    @property
    def stopped_at(self) -> list[str]:
        """The expected gate first."""
        found = dict.fromkeys(stop.gate for stop in self.stops)
        return sorted(found, key=lambda gate: gate != self.plant.gate)

    @property
    def as_expected(self) -> bool:
        if self.plant.gate:
            return self.plant.gate in self.stopped_at
        return not self.stops and bool(self.warnings or not self.plant.redeclared)

    @property
    def words(self) -> str:
        """Of the expected gate, else of the first that said no."""
        if not self.stops:
            return f"warning: {self.warnings[0]}" if self.plant.redeclared and self.warnings else "passed every gate"
        stop = next((stop for stop in self.stops if stop.gate == self.plant.gate), self.stops[0])
        return f"{stop.verdict}: {stop.words}"


class Gates:
    """Those of a model, with nothing live before `live` is set. `place` holds the drill's folders of models and its
    store; `mlflow` has the runs."""

    def __init__(self, place: Path, model: str, mlflow: str, environments: Path) -> None:
        self._place, self._model = place, model
        self._mlflow, self._environments = mlflow, environments
        self.live: Deployment | None = None

    def outcome(self, plant: Plant, run: PlantedRun, number: int) -> Outcome:
        """`number` counts the promotions."""
        try:
            candidate = fetched(self._settings(plant), self._promotion(run, number), None)
        except Refused as refused:
            return Outcome(plant, (Stop("fetch", Verdict.FAIL, str(refused)),))
        return self._judged(plant, candidate)

    def _judged(self, plant: Plant, candidate: Candidate) -> Outcome:
        settings = self._settings(plant)
        scorer = Scorer.of(settings, load_model_config(settings.models, self._model))
        validation = validated(scorer, candidate)
        if stops := tuple(_stops(validation.checks)):
            return Outcome(plant, stops)
        try:
            comparison = compared(scorer, candidate, None if plant.redeclared else self.live)
        except Refused as refused:
            return Outcome(plant, (Stop(COMPARE, Verdict.INCONCLUSIVE, str(refused)),))
        if comparison.verdict is not Verdict.PASS:
            said = Stop(COMPARE, comparison.verdict, comparison.summary)
            return Outcome(plant, tuple(_stops(comparison.checks)) or (said,))
        release = packaged(scorer, candidate, validation, comparison)
        return Outcome(plant, tuple(_unserved(release)), validation.warnings, release)

    def go_live(self, run: PlantedRun, release: Release) -> None:
        self.live = Deployment(
            model=self._model,
            revision=release.manifest.revision,
            release=release.digest,
            run_id=run.run_id,
            model_id=run.model_id,
            action=Action.DEPLOY,
            at=datetime.now(UTC),
            by="the drill",
            reason="",
        )

    def _settings(self, plant: Plant) -> Settings:
        return Settings(
            models=self._place / ("redeclared" if plant.redeclared else "models"),
            store=self._place / "store",
            environments=self._environments,
            mlflow_tracking_uri=self._mlflow,
        )

    def _promotion(self, run: PlantedRun, number: int) -> Promotion:
        return Promotion(
            model=self._model,
            label=f"{number}-{run.run_id[:8]}",
            run_id=run.run_id,
            run_name=run.plant,
            run_status="FINISHED",
            experiment_id="1",
            model_id=run.model_id,
            promotion=f"{number} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} the drill",
        )


def _stops(checks: Iterable[Check]) -> Iterator[Stop]:
    for check in checks:
        if check.stops:
            words = f"{check.name}: expected {check.expected}, found {check.found}"
            yield Stop(check.gate or check.name, check.verdict, words)


def _unserved(release: Release) -> Iterator[Stop]:
    """What is for batch only has stopped where its forms were asked."""
    if release.manifest.servable.form is None:
        yield Stop("form", Verdict.FAIL, "; ".join(release.manifest.servable.notes))

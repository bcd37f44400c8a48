"""Small but real releases for tests: a scikit-learn pipeline with golden predictions in a store."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from services.contract import names
from services.contract.candidate import Candidate, DataDigest, DataSchema, Environment, Machine, RunFacts, SourcesDigest
from services.contract.comparison import Comparison
from services.contract.digest import digest_directory, digest_files, file_sha256, list_files
from services.contract.estimator import ask_estimator
from services.contract.prediction import Labelled, Prediction
from services.contract.promotion import Promotion
from services.contract.release import Column, Form, Golden, Manifest, Release, Servable, ServingLimits
from services.contract.rollout_plan import RolloutPlan
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Verdict

INPUTS = (
    Column(name="carat", type="double"),
    Column(name="cut", type="string"),
    Column(name="grade", type="long"),
)
ROWS: tuple[tuple[Any, ...], ...] = ((0.3, "Ideal", 1), (0.7, "Fair", 2), (1.5, "Good", 3), (2.1, "Ideal", 4))
SKLEARN = Form(runtime="sklearn", file="model/model.skops", tolerance=1e-9)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class ReleasePlan:
    """What a test wants of a release; `price_per_carat` makes two of them answer differently."""

    model: str = "diamond-price"
    number: int = 1
    run: str = "a" * 32
    price_per_carat: float = 4000.0
    golden_shift: float = 0.0
    task: Task = "regression"
    classes: tuple[str, ...] = ()
    limits: ServingLimits = ServingLimits(replicas=1)
    # Nothing goes back by itself in a test of something else.
    rollout: RolloutPlan = RolloutPlan(bake=0)
    inputs: tuple[Column, ...] = INPUTS
    estimator: Any = None
    servable: Servable = Servable(form=SKLEARN, notes=())
    spoil: Callable[[Path], object] | None = None

    @property
    def revision(self) -> str:
        return f"{self.number}-{self.run[:8]}"


def train(price_per_carat: float) -> Pipeline:
    """A boosted model on 200 made-up diamonds; it takes an object array of carat, cut and grade."""
    random = numpy.random.default_rng(7)
    carat, grade = random.uniform(0.2, 3, 200), random.integers(1, 5, 200)
    rows = numpy.array(
        list(zip(carat, random.choice(["Ideal", "Fair", "Good"], 200), grade, strict=True)), dtype=object
    )
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), [1]), remainder="passthrough")
    return make_pipeline(encoder, HistGradientBoostingRegressor(max_iter=5)).fit(rows, price_per_carat * carat + grade)


def train_judge(cuts: Sequence[str] | Sequence[int]) -> Pipeline:
    """A classifier of the same rows, whose classes are these names, or 0 and 1."""
    random = numpy.random.default_rng(7)
    carat = random.uniform(0.2, 3, 200)
    rows = numpy.array(list(zip(carat, ["Ideal"] * 200, [1] * 200, strict=True)), dtype=object)
    chosen = make_column_transformer(("passthrough", [0, 2]))
    place = numpy.digitize(carat + random.normal(0, 0.3, 200), numpy.linspace(0.2, 3, len(cuts) + 1)[1:-1])
    return make_pipeline(chosen, LogisticRegression()).fit(rows, numpy.array(cuts)[place])


def build_release(store: Path, plan: ReleasePlan | None = None) -> Release:
    """Writes `<store>/releases/<digest>/`; `plan.spoil` changes the folder before its digest is taken."""
    plan = plan or ReleasePlan()
    folder = store / "building"
    shutil.rmtree(folder, ignore_errors=True)
    estimator = plan.estimator or _trained(plan.price_per_carat)
    model = _dumped(estimator) if plan.estimator else _dumped_once(plan.price_per_carat)
    _write_model(folder / names.MODEL_FOLDER, model)
    _write_golden(folder / names.GOLDEN_FILE, estimator, plan)
    if plan.spoil:
        plan.spoil(folder)
    manifest = _manifest(folder, plan)
    manifest.write(folder / names.MANIFEST_FILE)
    release = Release(digest=digest_directory(folder), manifest=manifest)
    target = store / "releases" / release.digest
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    return release


def expected_predictions(store: Path, release: Release) -> Sequence[Any]:
    """What the release's model answers to `ROWS`, as written down when it was packaged."""
    return Golden.read(store / "releases" / release.digest / names.GOLDEN_FILE).predictions


@cache
def _trained(price_per_carat: float) -> Pipeline:
    """For this module only, which does not change it; a caller of `train` has one of its own."""
    return train(price_per_carat)


@cache
def _dumped_once(price_per_carat: float) -> bytes:
    return _dumped(_trained(price_per_carat))


def _dumped(estimator: Any) -> bytes:
    return bytes(skops.io.dumps(estimator))


def _write_model(folder: Path, model: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / "model.skops").write_bytes(model)
    (folder / "MLmodel").write_text("flavors:\n  sklearn:\n    serialization_format: skops\n")


def _write_golden(path: Path, estimator: Any, plan: ReleasePlan) -> None:
    answers = ask_estimator(estimator, numpy.array(ROWS, dtype=object), all_classes=bool(plan.classes))
    shifted = [_shifted(answer, plan.golden_shift) for answer in answers]
    Golden(columns=tuple(column.name for column in INPUTS), rows=ROWS, predictions=tuple(shifted)).write(path)


def _shifted(answer: Prediction, by: float) -> Prediction:
    """Of a label, the last of its probabilities."""
    if not isinstance(answer, Labelled) or not answer.probabilities:
        return answer + by if isinstance(answer, float) else answer
    *others, (name, last) = answer.probabilities.items()
    return answer.model_copy(update={"probabilities": {**dict(others), name: last + by}})


def _manifest(folder: Path, plan: ReleasePlan) -> Manifest:
    candidate = _candidate(folder, plan)
    shared = {"model": plan.model, "revision": plan.revision, "candidate": candidate.digest}
    return Manifest(
        model=plan.model,
        revision=plan.revision,
        description="The price of a made-up diamond.",
        library="sklearn",
        task=plan.task,
        unit="dollars",
        servable=plan.servable,
        inputs=plan.inputs,
        classes=plan.classes,
        limits=plan.limits,
        rollout=plan.rollout,
        golden=file_sha256(folder / names.GOLDEN_FILE),
        candidate=candidate,
        validation=_validation(shared, candidate.run.holdout),
        comparison=_comparison(shared, candidate.run.holdout),
    )


def _candidate(folder: Path, plan: ReleasePlan) -> Candidate:
    files = list_files(folder / names.MODEL_FOLDER)
    promotion = Promotion(
        model=plan.model,
        label=plan.revision,
        run_id=plan.run,
        run_status="FINISHED",
        experiment_id="1",
        promotion=f"{plan.number} {WHEN:%Y-%m-%dT%H:%M:%SZ} ada",
    )
    digest = digest_files(files)
    return Candidate(promotion=promotion, run=_run(plan), pipeline=None, library="sklearn", digest=digest, files=files)


def _run(plan: ReleasePlan) -> RunFacts:
    return RunFacts(
        run_id=plan.run,
        name="made-up",
        experiment_id="1",
        user="ada",
        started_at=WHEN,
        ended_at=WHEN,
        git_commit=None,
        git_dirty=None,
        libraries={},
        parameters={"price_per_carat": str(plan.price_per_carat)},
        metrics={},
        training=DataDigest(sha256="1" * 64, rows=200, source="made up"),
        holdout=DataDigest(sha256="2" * 64, rows=4, source="made up"),
        data_schema=DataSchema(
            columns={"carat": "double", "cut": "string", "grade": "long"},
            optional=(),
            target="price",
            target_type="double",
            split_by=None,
            holdout_percent=20,
        ),
        sources=SourcesDigest(packages={}, files=1, sha256="3" * 64),
        environment=Environment(packages=9, sha256="4" * 64, lock=None),
        machine=Machine(python="3.11.2", system="Linux", processor="a made-up one", cores=2),
    )


def _validation(shared: dict[str, str], holdout: DataDigest) -> Validation:
    return Validation.model_validate(
        {**shared, "holdout": holdout, "verdict": Verdict.PASS, "checks": (), "metrics": {}, "latency_ms": {}}
    )


def _comparison(shared: dict[str, str], holdout: DataDigest) -> Comparison:
    found = {
        "candidate_value": 1.0,
        "live_value": None,
        "difference": None,
        "interval": None,
        "allowed": None,
        "live": None,
    }
    rule = {"metric": "mae", "confidence": 0.95, "margin": 0.01, "verdict": Verdict.PASS, "summary": "the first one"}
    return Comparison.model_validate({**shared, **found, **rule, "holdout": holdout})

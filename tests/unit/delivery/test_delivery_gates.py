"""The gates with planted models: each says no for the reason that was planted, and yes to a good one.

A model is asked in a child process, which imports scikit-learn: so the tests share a store, where each is asked once.
"""

import hashlib
import json
import os
import pickle
import platform
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from services.contract import names
from services.contract.answers import Answers
from services.contract.candidate import Candidate, DataDigest, Purpose
from services.contract.comparison import Comparison
from services.contract.deployment import Action, Deployment
from services.contract.digest import file_sha256, list_files
from services.contract.errors import Refused, Undecided
from services.contract.model_config import ModelConfig
from services.contract.own_code import module_name
from services.contract.release import Form, Golden, Manifest, Release
from services.contract.row_hashes import row_hashes, written
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.delivery.packaging.beside_live import Beside
from services.delivery.reports.report import comparison_page, validation_page
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Phase, Scores
from services.delivery.scoring.scoring import Examined, HoldoutRequest, Scorer, Stopped
from services.delivery.store import Store
from services.delivery.verbs.package import packaged, refuse_unless_passed
from services.delivery.verbs.trial import tried
from services.delivery.verdicts.comparing import compared
from services.delivery.verdicts.validating import validated
from tests.support.asked_here import ask_here, judge_here
from tests.support.busy_machine import busy_processor
from tests.support.release_factory import WHEN, ReleasePlan, build_release

pytestmark = pytest.mark.process

MLMODEL = """\
flavors:
  python_function: {}
  sklearn: {}
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}]'
"""


class Bench:
    """A store with a hold-out of y = 3x, and models that are more or less right about it."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root / "store")
        random.seed(1)
        lines = ["x,y", *(f"{x},{3 * x + random.gauss(0, 0.1)}" for x in (n / 100 for n in range(400)))]
        file = root / "holdout.csv"
        file.write_text("\n".join(lines) + "\n")
        self.holdout = DataDigest(sha256=hashlib.sha256(file.read_bytes()).hexdigest(), rows=400, source="made up")
        self.store.put_holdout(file, self.holdout.sha256)
        self.training = DataDigest(sha256="1" * 64, rows=800, source="made up")
        self.row_hashes = self.keep_hashes(root / "rows.npy", [f"{x},{3 * x}" for x in range(10, 810)])
        self.root = root
        self._logged = 0
        self._validations: dict[str, Validation] = {}
        self._releases: dict[str, Release] = {}

    def keep_hashes(self, file: Path, training: list[str]) -> str:
        """Of these rows, as fetch keeps them."""
        file.write_bytes(written(row_hashes("\n".join(["x,y", *training]).encode())))
        digest = file_sha256(file)
        self.store.put_row_hashes(file, digest)
        return digest

    def config(self, **changes: Any) -> ModelConfig:
        return ModelConfig.model_validate(
            {
                "name": "toy",
                "description": "three times x",
                "library": "sklearn",
                "task": "regression",
                "data": {
                    "source": "made up",
                    "target": "y",
                    "columns": {"x": "double"},
                    "holdout_sha256": self.holdout.sha256,
                },
                "variants": {"only": {}},
                "gates": {
                    "thresholds": {"mean_absolute_error": {"max": 1.0}},
                    "latency_p99_ms": 1000,
                    "compare": {"metric": "mean_absolute_error"},
                },
                **changes,
            }
        )

    def scorer_with(self, latency_p99_ms: float) -> Scorer:
        return self.scorer(gates=self.config().gates.model_dump() | {"latency_p99_ms": latency_p99_ms})

    def scorer(self, **changes: Any) -> Scorer:
        return Scorer(self.store, self.root / "no environments", self.config(**changes))

    def candidate(self, slope: float, number: int = 1, spoil: Callable[[Path], object] | None = None) -> Candidate:
        self._logged += 1
        folder = shutil.copytree(self._trained(slope), self.root / f"logged-{self._logged}")
        if spoil:
            spoil(folder)
        files = list_files(folder)
        template = build_release(self.root / "template", ReleasePlan(model="toy", number=number)).manifest.candidate
        data = {"holdout": self.holdout, "training": self.training, "row_hashes": self.row_hashes}
        run = template.run.model_copy(update=data)
        digest = self.store.put_model(folder)
        return template.model_copy(update={"run": run, "digest": digest, "files": files})

    def _trained(self, slope: float) -> Path:
        """Written once, because skops writes the time into its file, which would be another model."""
        folder = self.root / f"trained-{slope}"
        if not folder.exists():
            folder.mkdir()
            model = make_pipeline(FunctionTransformer(numpy.asarray), LinearRegression())
            model.fit(numpy.array([[0.0], [1.0]], dtype=object), [0.0, slope])
            skops.io.dump(model, folder / "model.skops")
            (folder / "MLmodel").write_text(MLMODEL)
        return folder

    def validation(self, candidate: Candidate) -> Validation:
        """Made once for each model."""
        if candidate.digest not in self._validations:
            self._validations[candidate.digest] = self.validated(self.scorer(), candidate)
        return self._validations[candidate.digest]

    def validated(self, scorer: Scorer, candidate: Candidate) -> Validation:
        return validated(scorer, candidate, judge_here(scorer, candidate))

    def package(self, candidate: Candidate, validation: Validation) -> Release:
        scorer = self.scorer()
        return packaged(scorer, candidate, validation, compared(scorer, candidate, None))

    def release(self, candidate: Candidate) -> Release:
        """Made once for each model."""
        if candidate.digest not in self._releases:
            self._releases[candidate.digest] = self.package(candidate, self.validation(candidate))
        return self._releases[candidate.digest]

    def deployment(self, release: Release) -> Deployment:
        return Deployment(
            model="toy",
            revision=release.manifest.revision,
            release=release.digest,
            run_id="a" * 32,
            action=Action.DEPLOY,
            at=WHEN,
            by="ada",
            reason="",
        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def own_bench(tmp_path: Path) -> Bench:
    """For whoever changes what is stored."""
    return Bench(tmp_path)


def verdicts(validation: Validation) -> dict[str, str]:
    return {check.name: check.verdict.value for check in validation.checks}


def found(validation: Validation, name: str) -> str:
    return next(check.found for check in validation.checks if check.name == name)


def test_a_good_model_passes_every_check(bench: Bench) -> None:
    validation = bench.validation(bench.candidate(3.0))
    assert validation.verdict is Verdict.PASS
    assert set(verdicts(validation)) == {
        "hold-out", "library", "signature", "load", "finite", "robustness", "stability", "model_megabytes",
        "memory_megabytes", "cpu_seconds", "mean_absolute_error", "form", "latency", "hold-out columns",
        "hold-out rows", "leakage of rows", "leakage of inputs",
    }  # fmt: skip
    # The noise has a standard deviation of 0.1, so its mean absolute value is 0.1·√(2/π) ≈ 0.08.
    assert validation.metrics["mean_absolute_error"] == pytest.approx(0.08, abs=0.01)


def test_a_model_that_is_off_fails_at_its_threshold_only(bench: Bench) -> None:
    validation = bench.validation(bench.candidate(9.0))
    assert validation.verdict is Verdict.FAIL
    assert [name for name, verdict in verdicts(validation).items() if verdict != "pass"] == ["mean_absolute_error"]


def test_a_model_with_another_hold_out_than_the_pinned_one_is_not_even_loaded(bench: Bench) -> None:
    data = bench.config().data.model_copy(update={"holdout_sha256": "f" * 64})
    validation = bench.validated(bench.scorer(data=data.model_dump()), bench.candidate(3.0))
    assert verdicts(validation) == {"hold-out": "fail", "library": "pass", "signature": "pass"}


def test_a_model_that_was_trained_on_the_hold_out_fails_for_that_and_for_nothing_else(bench: Bench) -> None:
    candidate = bench.candidate(3.0)
    held_out = bench.store.holdout(bench.holdout.sha256).read_text().splitlines()[1:21]
    hashes = bench.keep_hashes(bench.root / "leaked.npy", [*(f"{x},{3 * x}" for x in range(10, 790)), *held_out])
    run = candidate.run.model_copy(update={"row_hashes": hashes})
    validation = bench.validated(bench.scorer(), candidate.model_copy(update={"run": run}))
    assert [name for name, verdict in verdicts(validation).items() if verdict != "pass"] == ["leakage of rows"]
    assert validation.verdict is Verdict.FAIL
    assert found(validation, "leakage of rows").startswith("20 (5.00%): train without them")
    shown = next(check.examples for check in validation.checks if check.name == "leakage of rows")
    assert [row["x"] for row in shown] == [0.0, 0.01, 0.02, 0.03, 0.04]


def test_a_hold_out_with_other_columns_is_not_even_asked(own_bench: Bench) -> None:
    file = own_bench.root / "other.csv"
    file.write_text("x,colour,y\n1,red,3\n")
    other = DataDigest(sha256=file_sha256(file), rows=1, source="made up")
    own_bench.store.put_holdout(file, other.sha256)
    candidate = own_bench.candidate(3.0)
    candidate = candidate.model_copy(update={"run": candidate.run.model_copy(update={"holdout": other})})
    data = own_bench.config().data.model_copy(update={"holdout_sha256": other.sha256})
    validation = validated(own_bench.scorer(data=data.model_dump()), candidate)
    assert verdicts(validation)["hold-out columns"] == "fail"
    assert found(validation, "hold-out columns") == "with colour: log the run again with this model.yaml"
    assert "load" not in verdicts(validation)


def test_a_model_with_another_signature_is_refused(bench: Bench) -> None:
    def rename(folder: Path) -> None:
        (folder / "MLmodel").write_text(MLMODEL.replace('"name": "x"', '"name": "z"'))

    validation = bench.validated(bench.scorer(), bench.candidate(3.0, spoil=rename))
    assert verdicts(validation)["signature"] == "fail"
    assert found(validation, "signature") == "z double"


def test_a_model_that_answers_nan_is_refused(bench: Bench) -> None:
    def plant(folder: Path) -> None:
        broken = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        broken.coef_ = numpy.array([numpy.inf])
        skops.io.dump(broken, folder / "model.skops")

    validation = bench.validated(bench.scorer(), bench.candidate(3.0, spoil=plant))
    assert verdicts(validation)["finite"] == "fail"
    # 0 · ∞ is not a number, every other row is infinite.
    assert found(validation, "finite") == "400 NaN, infinite or none of 400"
    assert validation.verdict is Verdict.FAIL


def test_a_model_that_fails_on_rows_says_the_librarys_own_reason(bench: Bench) -> None:
    candidate = bench.candidate(3.0, spoil=broken)
    validation = bench.validated(bench.scorer(), candidate)
    expected = "none of 400; row 0: ValueError: X has 1 features, but LinearRegression is expecting 2 features as input"
    assert expected in found(validation, "finite")
    comparison = compared(bench.scorer(), candidate, None)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "the candidate does not answer the hold-out: expected a finite answer of sklearn to" in comparison.summary
    assert "found 400 without; row 0: ValueError: X has 1 features" in comparison.summary


def test_a_model_with_code_of_its_own_is_not_run_unless_a_commit_has_it(bench: Bench, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    code = f"open({str(canary)!r}, 'w')"

    def plant(folder: Path) -> None:
        (folder / "code").mkdir()
        (folder / "code" / f"{module_name(code.encode())}.py").write_text(code)

    candidate = bench.candidate(3.0, spoil=plant)
    validation = bench.validated(bench.scorer(), candidate)
    assert verdicts(validation)["load"] == "fail"
    assert "own code to be the committed train.py" in found(validation, "load")
    with pytest.raises(Refused, match="own code to be the committed train.py"):
        compared(bench.scorer(), candidate, None)
    assert not canary.exists()


def test_a_model_with_an_untrusted_type_is_refused_by_its_name(bench: Bench) -> None:
    def plant(folder: Path) -> None:
        skops.io.dump(make_pipeline(FunctionTransformer(os.system)), folder / "model.skops")

    validation = bench.validated(bench.scorer(), bench.candidate(3.0, spoil=plant))
    assert verdicts(validation)["load"] == "fail"
    assert "posix.system" in found(validation, "load")


def test_a_pickle_in_place_of_a_skops_file_is_never_loaded(bench: Bench, tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(canary), "w"))

    def plant(folder: Path) -> None:
        (folder / "model.skops").write_bytes(pickle.dumps(Evil()))

    validation = bench.validated(bench.scorer(), bench.candidate(3.0, spoil=plant))
    assert verdicts(validation)["load"] == "fail"
    assert not canary.exists()


@pytest.mark.parametrize(
    ("declared", "failed", "reason"),
    [
        ("sklearn", "library", "pyfunc"),
        ("pyfunc", "load", "expected the environment of requirements.lock, found "),
    ],
)
def test_a_model_of_any_flavor_is_loaded_neither_undeclared_nor_in_an_environment_of_ours(
    declared: str, failed: str, reason: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (open, (str(canary), "w"))

    def plant(folder: Path) -> None:
        loader = "loader_module: mlflow.pyfunc.model, python_model: python_model.pkl, cloudpickle_version: 3.1.3"
        described = f"python_function: {{{loader}, python_version: {platform.python_version()}}}"
        (folder / "MLmodel").write_text(MLMODEL.replace("python_function: {}", described))
        (folder / "python_model.pkl").write_bytes(pickle.dumps(Evil()))
        (folder / names.LOCK_FILE).write_text("six==1.17.0")

    monkeypatch.setattr("services.delivery.scoring.scoring.python_for", lambda *_: None)
    candidate = bench.candidate(3.0, spoil=plant).model_copy(update={"library": "pyfunc"})
    validation = bench.validated(bench.scorer(library=declared), candidate)
    assert verdicts(validation)[failed] == "fail"
    assert reason in found(validation, failed)
    assert not canary.exists()


def test_a_model_whose_files_were_changed_after_fetch_is_refused(own_bench: Bench) -> None:
    candidate = own_bench.candidate(3.0)
    file = own_bench.store.model(candidate.digest) / "MLmodel"
    file.chmod(0o644)
    file.write_text(MLMODEL + "\n")
    with pytest.raises(Refused, match="its files were changed"):
        own_bench.validated(own_bench.scorer(), candidate)


def test_a_good_model_passes_on_a_processor_that_is_busy_with_others(bench: Bench) -> None:
    """A row takes a fraction of a millisecond, and a turn of the other loops several."""
    with busy_processor():
        validation = bench.validated(bench.scorer_with(latency_p99_ms=20), bench.candidate(3.0))
    assert validation.verdict is Verdict.PASS, validation.checks


def test_the_same_stage_run_again_asks_and_measures_again_and_others_read_the_answers(own_bench: Bench) -> None:
    candidate = own_bench.candidate(3.0)
    first = own_bench.validated(own_bench.scorer_with(latency_p99_ms=1e-6), candidate)
    assert verdicts(first)["latency"] == "fail"
    kept = own_bench.store.scores_path(candidate.digest, own_bench.holdout.sha256)
    assert set(json.loads(kept.read_text())) == {"classes", "predictions", "edges", "failure"}
    Scores.read(kept).model_copy(update={"predictions": (30.0,) * 400}).write(kept)
    answered = compared(own_bench.scorer(), candidate, None).candidate_value
    assert answered is not None
    assert answered > 20
    second = own_bench.validated(own_bench.scorer(), candidate)
    assert verdicts(second)["latency"] == "pass"
    assert second.metrics["mean_absolute_error"] < 1
    assert second.latency_ms != first.latency_ms


def test_answers_that_an_earlier_version_kept_with_their_time_are_asked_again(own_bench: Bench) -> None:
    candidate = own_bench.candidate(3.0)
    kept = own_bench.store.scores_path(candidate.digest, own_bench.holdout.sha256)
    kept.parent.mkdir()
    kept.write_text(json.dumps({"predictions": [0.0] * 400, "edges": [0.0] * 3, "latency_ms": [294.3] * 100}))
    answered = compared(own_bench.scorer(), candidate, None).candidate_value
    assert answered is not None
    assert answered < 1
    assert "latency_ms" not in kept.read_text()


def test_a_model_that_could_not_be_asked_to_the_end_is_inconclusive_and_not_bad(bench: Bench) -> None:
    class Busy(Scorer):
        def examine(self, request: HoldoutRequest, holdout: Holdout) -> Examined:  # noqa: ARG002
            return Examined(stopped=Stopped(Phase.LOADING, Undecided("inconclusive: the machine is busy")))

    validation = bench.validated(Busy(bench.store, bench.root, bench.config()), bench.candidate(3.0))
    assert (validation.verdict, found(validation, "load")) == (
        Verdict.INCONCLUSIVE,
        "while loading the model: inconclusive: the machine is busy",
    )


def test_the_first_model_ever_is_compared_with_nothing_and_passes(bench: Bench) -> None:
    comparison = compared(bench.scorer(), bench.candidate(3.0), None)
    assert (comparison.verdict, comparison.live, comparison.interval) == (Verdict.PASS, None, None)
    assert "nothing is live yet" in comparison.summary


@pytest.mark.parametrize(
    ("live", "candidate", "expected"), [(3.1, 3.0, "pass"), (3.0, 3.0, "pass"), (3.0, 3.1, "fail")]
)
def test_better_and_equal_pass_and_worse_fails(bench: Bench, live: float, candidate: float, expected: str) -> None:
    deployment = bench.deployment(bench.release(bench.candidate(live)))
    comparison = compared(bench.scorer(), bench.candidate(candidate, number=2), deployment)
    assert comparison.verdict.value == expected
    assert comparison.live is not None
    assert comparison.live.release == deployment.release


def test_a_candidate_beside_live_tells_what_differs_between_both(bench: Bench) -> None:
    live, candidate = bench.release(bench.candidate(3.0)), bench.candidate(3.1, number=2)
    taken = {"latency p99": 2.0, "memory": 9.0}, {"latency p99": 1.0}
    comparison = compared(bench.scorer(), candidate, bench.deployment(live), lambda _: taken)
    assert comparison.verdict is Verdict.FAIL
    assert [one.gate for one in comparison.checks] == ["compare"]
    assert comparison.flips
    # A slope that is 0.1 off is 0.2 off on average of rows from 0 to 4, of which noise hides less than live's 0.08.
    assert comparison.difference == pytest.approx(-0.14, abs=0.03)
    assert comparison.flips.negative > comparison.flips.positive
    assert comparison.test
    assert comparison.test.p_value < 0.05
    assert comparison.shift
    assert comparison.shift.psi < 0.1
    sizes = [sum(file.size for file in one.files) for one in (candidate, live.manifest.candidate)]
    assert [(one.name, one.candidate, one.live) for one in comparison.costs] == [
        ("model size", *sizes), ("latency p99", 2.0, 1.0)
    ]  # fmt: skip
    assert [one.name for one in comparison.without_moments().costs] == ["model size"]
    assert comparison.warnings == ()
    assert Comparison.from_json(comparison.to_json()) == comparison


def sliced(bench: Bench, candidate: float, off: dict[str, Any] | None = None) -> Comparison:
    """With the rows in two halves by x."""
    deployment = bench.deployment(bench.release(bench.candidate(3.0)))
    gates = bench.config().gates.model_dump() | {"slices": {"x": {"quantiles": 2}}, "off": off or {}}
    return compared(bench.scorer(gates=gates), bench.candidate(candidate, number=2), deployment)


def test_a_gate_that_is_switched_off_is_told_with_its_reason_and_does_not_count(bench: Bench) -> None:
    off = {"reason": "the first release was a placeholder"}
    on = sliced(bench, 3.1)
    assert {one.gate: one.verdict for one in on.checks} == dict.fromkeys(("compare", "compare-slices"), Verdict.FAIL)
    both = ["compare", "compare-slices"]
    half, none = (sliced(bench, 3.1, dict.fromkeys(gates, off)) for gates in (both[:1], both))
    assert (half.verdict, none.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert "the gate compare is switched off: the first release was a placeholder" in none.summary
    assert [one.off for one in none.checks] == ["the first release was a placeholder"] * 2


def test_each_declared_metric_is_compared_on_all_rows_and_on_each_slice(bench: Bench) -> None:
    found = [(one.metric, one.rows) for one in sliced(bench, 3.0).differences]
    assert found == [("mean_absolute_error", 400), ("mean_absolute_error", 200), ("mean_absolute_error", 200)]


def broken(folder: Path) -> None:
    skops.io.dump(LinearRegression().fit([[0.0, 1.0], [1.0, 1.0]], [0.0, 1.0]), folder / "model.skops")


def test_a_live_release_that_answers_nothing_is_inconclusive_whoever_is_better(bench: Bench) -> None:
    live = bench.candidate(3.0, spoil=broken)
    release = bench.release(bench.candidate(3.0))
    folder = shutil.copytree(bench.store.release(release.digest), bench.root / "spoiled")
    shutil.rmtree(folder / "model")
    shutil.copytree(bench.store.model(live.digest), folder / "model")
    release.manifest.model_copy(update={"candidate": live}).write(folder / names.MANIFEST_FILE)
    spoiled = bench.deployment(release).model_copy(update={"release": bench.store.put_release(folder)})
    comparison = compared(bench.scorer(), bench.candidate(3.0, number=2), spoiled)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.summary.startswith(f"cannot be compared: live {spoiled.revision} does not answer the hold-out: ")
    assert "found 400 without; row 0: ValueError: X has 1 features" in comparison.summary
    assert comparison.live
    assert comparison.live.release == spoiled.release
    assert "no answer" in comparison_page(comparison)


def test_a_live_release_that_is_not_in_the_store_is_inconclusive_and_not_the_first(bench: Bench) -> None:
    gone = bench.deployment(bench.release(bench.candidate(3.0))).model_copy(update={"release": "f" * 64})
    comparison = compared(bench.scorer(), bench.candidate(3.0, number=2), gone)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "expected the release ffffffffffff…, found none" in comparison.summary
    assert (comparison.live and comparison.live.release, comparison.differences) == ("f" * 64, ())


def test_a_holdout_without_rows_proves_nothing_of_anybody(own_bench: Bench) -> None:
    empty = own_bench.root / "empty.csv"
    empty.write_text("x,y\n")
    digest = DataDigest(sha256=hashlib.sha256(empty.read_bytes()).hexdigest(), rows=0, source="made up")
    own_bench.store.put_holdout(empty, digest.sha256)
    own_bench.holdout = digest
    comparison = compared(own_bench.scorer(), own_bench.candidate(3.0), None)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "expected rows in the hold-out, found none" in comparison.summary


def test_too_few_rows_are_inconclusive(bench: Bench) -> None:
    deployment = bench.deployment(bench.release(bench.candidate(3.0)))
    gates = bench.config().gates.model_dump() | {"compare": {"metric": "mean_absolute_error", "min_rows": 401}}
    comparison = compared(bench.scorer(gates=gates), bench.candidate(3.0, number=2), deployment)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "400 rows are fewer than the 401 that the gate asks for" in comparison.summary


def test_a_release_holds_the_model_and_the_librarys_own_answers(bench: Bench) -> None:
    candidate = bench.candidate(3.0)
    release = bench.release(candidate)
    folder = bench.store.release(release.digest)
    assert Manifest.read(folder / "manifest.json") == release.manifest
    assert (folder / "model" / "model.skops").read_bytes() == (
        bench.store.model(candidate.digest) / "model.skops"
    ).read_bytes()
    golden = Golden.read(folder / "golden.json")
    assert len(golden.rows) == 64
    assert [row[0] for row in golden.rows[:3]] == [0.0, -1e9, 1e9]
    assert golden.predictions == pytest.approx([3 * row[0] for row in golden.rows])
    assert release.manifest.answers
    assert (release.manifest.answers.rows, sum(release.manifest.answers.counts)) == (400, 400)


def test_the_same_release_has_the_same_digest(bench: Bench) -> None:
    candidate = bench.candidate(3.0)
    first, second = bench.release(candidate), bench.package(candidate, bench.validation(candidate))
    assert first.digest == second.digest


@pytest.mark.parametrize("purpose", [Purpose.PREVIEW, Purpose.REHEARSAL])
def test_what_nobody_promoted_is_built_and_leaves_no_release_that_a_promotion_could_become(
    own_bench: Bench, purpose: Purpose
) -> None:
    promoted = own_bench.candidate(3.0)
    tried_first = promoted.model_copy(update={"purpose": purpose})
    built = own_bench.package(tried_first, own_bench.validation(promoted))
    assert built.manifest.candidate.purpose is purpose
    with pytest.raises(Refused, match="expected the release .*, found none"):
        own_bench.store.release(built.digest)
    kept = {path.name for path in (own_bench.root / "store").iterdir() if any(path.iterdir())}
    assert kept == {"models", "holdouts", "rows", "scores", "forms", "graphs"}
    release = own_bench.package(promoted, own_bench.validation(promoted))
    assert own_bench.store.packaged(promoted) == release.digest != built.digest


def test_what_was_measured_while_validating_does_not_name_the_release(bench: Bench) -> None:
    candidate = bench.candidate(3.0)
    first, second = bench.validation(candidate), bench.validated(bench.scorer(), candidate)
    assert first.latency_ms != second.latency_ms
    one = bench.release(candidate)
    # Else the second would be taken for the first, which is known.
    shutil.rmtree(bench.root / "store" / "packaged")
    assert bench.package(candidate, second).digest == one.digest
    assert verdicts(one.manifest.validation) == verdicts(first)


def test_what_candidate_and_live_take_is_measured_of_the_forms_that_answer(bench: Bench) -> None:
    live, candidate = bench.release(bench.candidate(3.0)), bench.candidate(3.1, number=2)
    bench.validation(candidate)
    asked: list[Path] = []

    def ask(release: Path, form: Form, rows: Sequence[Any], limit_ms: float) -> Answers:
        asked.append(release)
        return ask_here(release, form, rows, limit_ms)

    scorer, holdout = bench.scorer(), bench.scorer().holdout(bench.holdout.sha256)
    scores = Scores.read(bench.store.scores_path(candidate.digest, bench.holdout.sha256))
    found = Beside(scorer, candidate, ask).measure(holdout, scores, live.digest)
    assert found is not None
    assert min(found[0].p50_ms, found[1].p50_ms, found[0].memory_bytes, found[1].memory_bytes) > 0
    assert (len(asked), asked[1]) == (2, bench.store.release(live.digest))
    assert Beside(scorer, bench.candidate(3.2, number=3), ask).measure(holdout, scores, live.digest) is None


def test_a_release_without_the_form_that_validate_chose_is_not_packaged(own_bench: Bench) -> None:
    candidate = own_bench.candidate(3.0)
    validation = own_bench.validation(candidate)
    (graph,) = (own_bench.root / "store" / "graphs").iterdir()
    graph.chmod(0o644)
    graph.write_bytes(b"another")
    with pytest.raises(Refused, match="expected the graph .*, found none or another: run validate again"):
        own_bench.package(candidate, validation)
    shutil.rmtree(own_bench.root / "store" / "forms")
    with pytest.raises(Refused, match="expected the form that validate chose, found none: run validate again"):
        own_bench.package(candidate, validation)


def test_nothing_is_packaged_without_a_verdict_that_passed(bench: Bench) -> None:
    candidate = bench.candidate(9.0)
    validation = bench.validation(candidate)
    with pytest.raises(Refused, match="expected a validation that passed, found fail"):
        refuse_unless_passed(candidate, validation)


def test_the_verdict_of_another_candidate_does_not_count(bench: Bench) -> None:
    comparison = compared(bench.scorer(), bench.candidate(3.0), None)
    with pytest.raises(Refused, match=r"expected the comparison of 2-aaaaaaaa .* found that of 1-aaaaaaaa"):
        refuse_unless_passed(bench.candidate(3.1, number=2), comparison)


def test_the_store_replaces_a_damaged_copy_by_a_good_one(own_bench: Bench) -> None:
    candidate = own_bench.candidate(3.0)
    again = own_bench.root / "store" / "again"
    shutil.copytree(own_bench.store.model(candidate.digest), again)
    damaged = own_bench.store.model(candidate.digest) / "MLmodel"
    damaged.chmod(0o644)
    damaged.write_text("broken")
    assert own_bench.store.put_model(again) == candidate.digest
    assert (own_bench.store.model(candidate.digest) / "MLmodel").read_text() == MLMODEL


def test_a_holdout_with_another_digest_never_enters_the_store(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    with pytest.raises(Refused, match="expected a hold-out with SHA-256 eeeeeeeeeeee…, found .*: it was changed"):
        bench.store.put_holdout(tmp_path / "other.csv", "e" * 64)


def test_reports_show_the_numbers_and_escape_what_they_are_given(bench: Bench) -> None:
    candidate = bench.candidate(3.0)
    validation = bench.validation(candidate)
    evil = validation.checks[0].model_copy(update={"found": "<script>alert(1)</script>"})
    page = validation_page(validation.model_copy(update={"checks": (evil, *validation.checks[1:])}))
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    deployment = bench.deployment(bench.release(candidate))
    comparison: Comparison = compared(bench.scorer(), bench.candidate(3.0, number=2), deployment)
    page = comparison_page(comparison)
    assert comparison.live
    assert f"live {comparison.live.revision}" in page
    assert comparison.summary[1:] in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("spoil", "load", "served"),
    [
        (lambda _: None, "loaded, with", "onnx or sklearn"),
        (lambda folder: (folder / "model.skops").write_bytes(b"a pickle"), "skops file, found another", None),
    ],
    ids=["whole", "spoiled"],
)
def test_a_model_that_is_logged_nowhere_is_judged_on_a_few_rows_and_with_how_it_would_be_served(
    own_bench: Bench, spoil: Callable[[Path], object], load: str, served: str | None
) -> None:
    candidate, holdout = own_bench.candidate(3.0, spoil=spoil), own_bench.root / "few.csv"
    shutil.copy(own_bench.store.holdout(own_bench.holdout.sha256), holdout)
    folder = shutil.copytree(own_bench.store.model(candidate.digest), own_bench.root / "nowhere")
    checks = {one.name: one for one in tried(own_bench.scorer(), folder, holdout)}
    assert load in checks["load"].found
    assert (checks["serving"].found if served else checks.get("serving")) == served
    assert checks["load"].verdict is (Verdict.PASS if served else Verdict.FAIL)

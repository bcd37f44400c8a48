"""Whatever a model does to the limited child, the check of what it was asked just then says so in words."""

import hashlib
from collections.abc import Callable

import pytest

from services.contract.model_config import ModelConfig
from services.contract.verdict import Check, Verdict
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.store import Store
from services.delivery.verdicts.validating import examined_checks
from tests.support import planted_flavor

pytestmark = pytest.mark.process

Checks = dict[str, Check]
ROWS = 300


def config(holdout: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "three times x",
            "library": planted_flavor.LIBRARY,
            "task": "regression",
            "data": {"source": "made up", "target": "y", "columns": {"x": "double"}, "holdout_sha256": holdout},
            "variants": {"only": {}},
            "gates": {
                "thresholds": {"r2_score": {"min": 0}},
                "latency_p99_ms": 100,
                "compare": {"metric": "mean_absolute_error"},
                "budgets": {"cpu_seconds": 2, "memory_megabytes": 400},
            },
        }
    )


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checks]:
    root = tmp_path_factory.mktemp("examined")
    planted_flavor.interpreter(root / "environments")
    file = root / "holdout.csv"
    file.write_text("".join(["x,y\n", *(f"{x}.5,{3 * x}\n" for x in range(ROWS))]))
    holdout = hashlib.sha256(file.read_bytes()).hexdigest()
    store = Store(root / "store")
    store.put_holdout(file, holdout)
    scorer = Scorer(store, root / "environments", config(holdout))

    def checks(deed: str) -> Checks:
        folder = root / "model"
        folder.mkdir()
        (folder / planted_flavor.FILE).write_text(deed)
        model = store.put_model(folder)
        request = HoldoutRequest(planted_flavor.LIBRARY, store.model(model), model, holdout)
        found = examined_checks(scorer.examine(request, scorer.holdout(holdout)), request.folder, scorer.config)
        return {one.name: one for one in found}

    return checks


def test_a_good_model_passes_and_each_check_tells_its_numbers(examined: Callable[[str], Checks]) -> None:
    checks = examined("load: loud")
    assert {one.verdict for one in checks.values()} == {Verdict.PASS}
    assert list(checks) == [
        "load", "finite", "robustness", "stability", "model_megabytes", "memory_megabytes", "cpu_seconds"
    ]  # fmt: skip
    assert checks["finite"].found == f"0 NaN, infinite or none of {ROWS}"
    assert checks["robustness"].found == "of 3 rows 3 answered, 0 refused"
    assert checks["stability"].found == "largest 0 of 64 rows together again and in another order, 16 alone"
    assert 10 < float(checks["memory_megabytes"].found) < 400


CPU = "expected answers within 2 s of CPU, found none"
MEMORY = "expected at most 400 MB of memory, found that it asks for more: MemoryError"


@pytest.mark.parametrize(
    ("deed", "stopped_at", "words"),
    [
        ("load: segfault", "load", "while loading the model: no message (ended by SIGSEGV)"),
        ("load: for ever", "load", f"while loading the model: {CPU}"),
        ("load: exit", "load", "while loading the model: SystemExit: 0 (exit 1)"),
        ("rows: eat", "finite", f"while answering the hold-out: {MEMORY}"),
        ("rows: vanish", "finite", "found one that ends the process"),
        ("edge: fail", "robustness", "unseen and extreme values: IndexError: list index out of range (exit 1)"),
        ("again: for ever", "stability", f"while answering the same rows again: {CPU}"),
        ("graph: segfault", "form", "while turning the model into a graph: no message (ended by SIGSEGV)"),
    ],
)
def test_what_ends_the_child_belongs_to_what_it_was_asked(
    deed: str, stopped_at: str, words: str, examined: Callable[[str], Checks]
) -> None:
    checks = examined(deed)
    assert [name for name, one in checks.items() if one.verdict is not Verdict.PASS] == [stopped_at]
    assert checks[stopped_at].verdict is Verdict.FAIL
    assert checks[stopped_at].found.endswith(words)


def test_a_kill_is_inconclusive_because_the_machine_may_have_done_it(examined: Callable[[str], Checks]) -> None:
    check = examined("edge: be killed")["robustness"]
    assert (check.verdict, "for want of memory" in check.found) == (Verdict.INCONCLUSIVE, True)


@pytest.mark.parametrize("deed", ["load: leave a thread", "rows: leave a process"])
def test_what_a_model_leaves_running_holds_nobody_up(deed: str, examined: Callable[[str], Checks]) -> None:
    assert {one.verdict for one in examined(deed).values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("answers: by chance", " asked "),
        ("answers: by place", " asked "),
        ("answers: by company", "row 0 asked alone: expected 301.5, found 2.5 (largest "),
    ],
)
def test_an_answer_that_depends_on_more_than_its_row_is_refused(
    deed: str, words: str, examined: Callable[[str], Checks]
) -> None:
    check = examined(deed)["stability"]
    assert (check.verdict, words in check.found) == (Verdict.FAIL, True)

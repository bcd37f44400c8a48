"""What /openapi.json says is what the service does: schemathesis makes requests of it, with all its checks.

`TRACKBACK_OPENAPI_EXAMPLES=500` asks that many random ones of each operation, and a regression as well.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from services.prediction.app import create_app
from services.prediction.predictor import load_predictor
from tests.support.release_factory import ReleasePlan, build_release, train_judge

CUTS = ("Fair", "Good", "Ideal")
FEW_EXAMPLES = 5
EXAMPLES = int(os.environ.get("TRACKBACK_OPENAPI_EXAMPLES", FEW_EXAMPLES))
FEW = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[*HealthCheck])
MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]


def of_any_number() -> Pipeline:
    """A classifier that has a finite answer to whatever number there is."""
    chosen, judge = train_judge(CUTS)
    rows = [[carat / 10, "Ideal", 1] for carat in range(1, 31)]
    trees = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2)
    return make_pipeline(chosen, trees.fit(chosen.transform(rows), [CUTS[place // 10] for place in range(30)]))


PLANS = {
    "regression": lambda: ReleasePlan(),
    "classification": lambda: ReleasePlan(task="classification", classes=CUTS, estimator=of_any_number()),
}


@pytest.mark.thorough
@pytest.mark.parametrize("task", list(PLANS) if EXAMPLES > FEW_EXAMPLES else ["classification"])
def test_every_answer_is_as_the_description_says(task: str, tmp_path: Path) -> None:
    release = build_release(tmp_path, PLANS[task]())
    app = create_app(load_predictor(tmp_path / "releases" / release.digest, release.digest))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    statuses: Counter[int] = Counter()

    def ask(case: Any) -> None:
        statuses[case.call_and_validate().status_code] += 1

    operations: Any = schema.get_all_operations()
    for operation in operations:
        # pytest's own way of schemathesis does not know this version of pytest.
        config = HypothesisTestConfig(project=schema.config, modes=MODES, settings=FEW, seed=7)
        create_test(operation=operation.ok(), test_func=ask, config=config)()
    assert set(statuses) == {200, 400, 405, 415, 422}
    assert statuses.total() > 1000

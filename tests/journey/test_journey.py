"""One scenario, told from outside: a promoted run reaches production, and every answer traces back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from services.contract import names
from services.contract.comparison import Comparison
from services.contract.trace import Trace
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from tests.support.platform_client import MODEL, Access, PlatformClient

NOTEBOOK = "training/notebooks/diamond-price.ipynb"
ALL_PASSED = {"fetch": "Passed", "validate": "Passed", "compare": "Passed", "package": "Passed"}

# The first one may have to build every image of the stack.
pytestmark = pytest.mark.usefixtures("in_order")


@dataclass
class Steps:
    """What one step leaves to the next."""

    runs: dict[str, str] = field(default_factory=dict)
    revisions: list[str] = field(default_factory=list)
    done: int = 0


@pytest.fixture(scope="module")
def steps(access: Access) -> Steps:  # noqa: ARG001  each platform has its own
    return Steps()


@pytest.fixture
def in_order(steps: Steps, access: Access, request: pytest.FixtureRequest) -> Iterator[None]:  # noqa: ARG001
    """A step that follows a failed one would fail for the wrong reason."""
    platform, failed = request.node.callspec.params["access"], request.session.testsfailed
    taken_there = [item for item in request.session.items if _platform(item, request.node) == platform]
    if taken_there.index(request.node) != steps.done:
        pytest.fail("an earlier step failed")
    yield
    if request.session.testsfailed == failed:
        steps.done += 1


def _platform(item: pytest.Item, step: pytest.Item) -> str | None:
    """Where a step of the same journey is taken; None for any other test."""
    return str(item.callspec.params["access"]) if item.path == step.path and isinstance(item, pytest.Function) else None


def test_a_run_that_is_tagged_in_mlflow_reaches_production(client: PlatformClient, steps: Steps) -> None:
    steps.runs["first"] = client.train("--variant", "boosted")
    before = client.newest(MODEL)
    client.tag(steps.runs["first"], "yes please")
    build = client.delivered(before, steps.runs["first"])
    assert client.stages(build) == ALL_PASSED
    answer = client.ask()
    steps.revisions.append(answer.headers[names.REVISION_HEADER])
    assert steps.revisions[0].endswith(steps.runs["first"][:8])
    # Sold for 4,357 dollars; the model's mean absolute error is 265.
    assert answer.json()["predictions"] == [pytest.approx(4357, abs=800)]
    assert client.champion() == steps.runs["first"]


def test_a_promotion_from_a_notebook_changes_the_answer_without_a_failed_request(
    client: PlatformClient, steps: Steps
) -> None:
    steps.runs["second"] = str(client.trackback("notebook", NOTEBOOK, "--out", "/dev/null")["run_id"])
    before, old = client.newest(MODEL), client.ask()
    with client.keeps_asking() as asking:
        client.promote(steps.runs["second"], "a notebook found that slower learning errs less")
        build = client.delivered(before, steps.runs["second"])
    new = client.ask()
    steps.revisions.append(new.headers[names.REVISION_HEADER])
    assert asking.failures == []
    assert set(asking.answers) == set(steps.revisions)
    assert steps.revisions[1].endswith(steps.runs["second"][:8])
    assert new.json()["predictions"] != old.json()["predictions"]
    assert client.champion() == steps.runs["second"]
    comparison = Comparison.from_json(client.artifact(build, "compare", names.COMPARISON_FILE).content)
    assert comparison.live is not None
    assert comparison.live.revision == steps.revisions[0]
    assert comparison.interval is not None


def test_the_first_run_promoted_again_answers_again_as_a_new_revision(client: PlatformClient, steps: Steps) -> None:
    before = client.newest(MODEL)
    with client.keeps_asking() as asking:
        client.promote(steps.runs["first"], "back to what we know")
        client.delivered(before, steps.runs["first"])
    answer = client.ask()
    revision = answer.headers[names.REVISION_HEADER]
    assert asking.failures == []
    assert revision.endswith(steps.runs["first"][:8])
    assert revision not in steps.revisions
    steps.revisions.append(revision)
    assert client.champion() == steps.runs["first"]


@pytest.mark.any_platform
def test_a_model_with_shuffled_labels_is_stopped_at_validate(client: PlatformClient, steps: Steps) -> None:
    bad = client.train("--variant", "boosted", "--shuffle-labels")
    before = client.newest(MODEL)
    client.promote(bad, "looks fine to me")
    build = client.delivered(before, bad)
    assert client.stages(build)["validate"] == "Failed"
    assert client.stages(build)["package"] == "not run"
    validation = Validation.from_json(client.artifact(build, "validate", names.VALIDATION_FILE).content)
    failed = [check for check in validation.checks if check.verdict is Verdict.FAIL]
    assert {check.gate for check in failed} == {"thresholds", "slices"}
    assert {"mean_absolute_error", "r2_score"} < {check.name for check in failed}
    assert "text/html" in client.artifact(build, "validate", "validation.html").headers["content-type"]
    assert client.ask().headers[names.REVISION_HEADER] == steps.revisions[-1]


@pytest.mark.any_platform
def test_a_model_that_is_a_little_worse_is_stopped_at_compare(client: PlatformClient, steps: Steps) -> None:
    worse = steps.runs["worse"] = client.train("--variant", "boosted-small")
    before = client.newest(MODEL)
    client.promote(worse, "smaller is beautiful")
    build = client.delivered(before, worse)
    assert client.stages(build) == {
        "fetch": "Passed", "validate": "Passed", "compare": "Failed", "package": "not run"
    }  # fmt: skip
    assert "FAIL: worse than live" in client.console(build, "compare")
    assert client.ask().headers[names.REVISION_HEADER] == steps.revisions[-1]


@pytest.mark.any_platform
def test_a_preview_for_a_pull_request_is_judged_and_its_reports_land_on_the_run(
    client: PlatformClient, steps: Steps
) -> None:
    client.ask_for_preview(steps.runs["worse"], "#42")
    build = client.previewed(steps.runs["worse"])
    assert client.stages(build) == {
        "fetch": "Passed", "validate": "Passed", "compare": "Failed", "package": "not run"
    }  # fmt: skip
    tags = {tag["key"]: tag["value"] for tag in client.run(steps.runs["worse"])["data"]["tags"]}
    revision = f"1-{steps.runs['worse'][:8]}"
    assert tags[names.PREVIEWED_TAG].startswith(f"{revision} for #42: compare fail: worse than live")
    reports = client.artifacts(steps.runs["worse"], f"trackback/preview/{revision}")
    assert {names.VALIDATION_PAGE, names.COMPARISON_PAGE, names.VALIDATION_FILE, names.COMPARISON_FILE} <= reports
    assert names.RELEASE_TAG not in tags
    assert client.ask().headers[names.REVISION_HEADER] == steps.revisions[-1]


@pytest.mark.any_platform
def test_a_rehearsal_goes_through_all_gates_and_changes_nothing_but_the_runs_page(
    client: PlatformClient, steps: Steps
) -> None:
    before = client.newest(MODEL)
    found = client.trackback("rehearse", steps.runs["second"], "--as", "ada")
    told = {key: found[key] for key in ("revision", "validation", "comparison", "served_as", "stopped_at")}
    assert told == {
        "revision": f"0-{steps.runs['second'][:8]}",
        "validation": "pass",
        "comparison": "pass",
        "served_as": "onnx",
        "stopped_at": None,
    }
    tags = {tag["key"]: tag["value"] for tag in client.run(steps.runs["second"])["data"]["tags"]}
    when, _, rest = tags[names.REHEARSED_TAG].partition(" ")
    assert rest == "by ada: package pass"
    folder = f"trackback/rehearsal/{when.replace(':', '')}"
    assert {names.VALIDATION_PAGE, names.COMPARISON_PAGE} <= client.artifacts(steps.runs["second"], folder)
    assert tags[names.RELEASE_TAG].startswith(steps.revisions[1])
    assert client.newest(MODEL) == before
    assert client.ask().headers[names.REVISION_HEADER] == steps.revisions[-1]


def test_every_answer_traces_back_to_run_data_and_promoter(client: PlatformClient, steps: Steps) -> None:
    answer = client.ask()
    trace = Trace.model_validate(client.trackback("trace", MODEL, "--release", answer.headers[names.RELEASE_HEADER]))
    run = client.run(steps.runs["first"])
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    parameters = {parameter["key"]: parameter["value"] for parameter in run["data"]["params"]}
    assert trace.revision == answer.headers[names.REVISION_HEADER] == answer.json()["model"]["revision"]
    assert trace.candidate.run.run_id == steps.runs["first"]
    assert trace.candidate.promotion.reason == "back to what we know"
    assert trace.candidate.run.parameters == parameters
    assert trace.candidate.run.git_commit == tags.get(names.GIT_COMMIT_TAG)
    assert trace.candidate.run.training
    assert tags[names.TRAINING_DATA_TAG].endswith(f", {trace.candidate.run.training.sha256[:12]}")
    assert tags[names.HOLDOUT_TAG].endswith(f", {trace.candidate.run.holdout.sha256[:12]}")
    assert trace.pipeline is not None
    assert trace.pipeline.name == MODEL


def test_an_answer_of_an_earlier_release_traces_back_as_well(client: PlatformClient, steps: Steps) -> None:
    history = [one for one in client.trackback("status")["models"] if one["model"] == MODEL]
    assert history[0]["rollout"]["previous"]["revision"] == steps.revisions[-2]
    earlier = history[0]["rollout"]["previous"]["release"]
    trace = Trace.model_validate(client.trackback("trace", MODEL, "--release", earlier[:12]))
    assert trace.candidate.run.run_id == steps.runs["second"]
    assert trace.candidate.promotion.reason == "a notebook found that slower learning errs less"


def test_a_rollback_lets_the_previous_release_answer_without_a_failed_request(
    client: PlatformClient, steps: Steps
) -> None:
    with client.keeps_asking() as asking:
        client.trackback("rollback", MODEL, "--reason", "second thoughts")
        assert client.ask().headers[names.REVISION_HEADER] == steps.revisions[-2]
    assert asking.failures == []
    assert set(asking.answers) <= {steps.revisions[-1], steps.revisions[-2]}


def test_gocd_has_nothing_to_complain_about_the_model_at_the_end(client: PlatformClient) -> None:
    """Of a model that was never promoted it says so, with the pipelines that wait for it."""
    assert [one for one in client.health_messages() if f" {client.model}" in one["message"]] == []

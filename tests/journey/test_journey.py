"""One story, told from outside: a promoted run reaches production, and every answer traces back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from services.contract import names
from services.contract.trace import Trace
from services.contract.verdict import Comparison, Validation, Verdict
from tests.support.asking_client import KeepsAsking
from tests.support.traveller import MODEL, Access, Traveller

ALL_PASSED = {"fetch": "Passed", "validate": "Passed", "compare": "Passed", "package": "Passed"}

# The first one may have to build every image of the stack.
pytestmark = pytest.mark.usefixtures("in_order")


@dataclass
class Story:
    """What one chapter leaves to the next."""

    runs: dict[str, str] = field(default_factory=dict)
    revisions: list[str] = field(default_factory=list)
    chapters: int = 0


@pytest.fixture(scope="module")
def story(access: Access) -> Story:  # noqa: ARG001  each platform has its own
    return Story()


@pytest.fixture
def in_order(story: Story, access: Access, request: pytest.FixtureRequest) -> Iterator[None]:  # noqa: ARG001
    """A chapter that follows a failed one would fail for the wrong reason."""
    platform, failed = request.node.callspec.params["access"], request.session.testsfailed
    told_there = [item for item in request.session.items if _platform(item, request.node) == platform]
    if told_there.index(request.node) != story.chapters:
        pytest.fail("an earlier chapter of the story failed")
    yield
    if request.session.testsfailed == failed:
        story.chapters += 1


def _platform(item: pytest.Item, chapter: pytest.Item) -> str | None:
    """Where a chapter of the same story is told; None for any other test."""
    return (
        str(item.callspec.params["access"]) if item.path == chapter.path and isinstance(item, pytest.Function) else None
    )


def test_a_run_that_is_tagged_in_mlflow_reaches_production(traveller: Traveller, story: Story) -> None:
    story.runs["first"] = traveller.train("--variant", "boosted")
    before = traveller.newest(MODEL)
    traveller.tag(story.runs["first"], "yes please")
    build = traveller.delivered(before, story.runs["first"])
    assert traveller.stages(build) == ALL_PASSED
    answer = traveller.ask()
    story.revisions.append(answer.headers[names.REVISION_HEADER])
    assert story.revisions[0].endswith(story.runs["first"][:8])
    # Sold for 4,357 dollars; the model's mean absolute error is 265.
    assert answer.json()["predictions"] == [pytest.approx(4357, abs=800)]
    assert traveller.champion() == story.runs["first"]


def test_a_second_promotion_changes_the_answer_without_a_failed_request(traveller: Traveller, story: Story) -> None:
    story.runs["second"] = traveller.train("--variant", "boosted-slow")
    before, old = traveller.newest(MODEL), traveller.ask()
    with KeepsAsking(traveller) as client:
        traveller.promote(story.runs["second"], "learns more slowly, errs a little less")
        build = traveller.delivered(before, story.runs["second"])
    new = traveller.ask()
    story.revisions.append(new.headers[names.REVISION_HEADER])
    assert client.failures == []
    assert set(client.answers) == set(story.revisions)
    assert story.revisions[1].endswith(story.runs["second"][:8])
    assert new.json()["predictions"] != old.json()["predictions"]
    assert traveller.champion() == story.runs["second"]
    comparison = Comparison.from_json(traveller.artifact(build, "compare", names.COMPARISON_FILE).content)
    assert comparison.live is not None
    assert comparison.live.revision == story.revisions[0]
    assert comparison.interval is not None


def test_the_first_run_promoted_again_answers_again_as_a_new_revision(traveller: Traveller, story: Story) -> None:
    before = traveller.newest(MODEL)
    with KeepsAsking(traveller) as client:
        traveller.promote(story.runs["first"], "back to what we know")
        traveller.delivered(before, story.runs["first"])
    answer = traveller.ask()
    revision = answer.headers[names.REVISION_HEADER]
    assert client.failures == []
    assert revision.endswith(story.runs["first"][:8])
    assert revision not in story.revisions
    story.revisions.append(revision)
    assert traveller.champion() == story.runs["first"]


def test_a_model_with_shuffled_labels_is_stopped_at_validate(traveller: Traveller, story: Story) -> None:
    bad = traveller.train("--variant", "boosted", "--shuffle-labels")
    before = traveller.newest(MODEL)
    traveller.promote(bad, "looks fine to me")
    build = traveller.delivered(before, bad)
    assert traveller.stages(build)["validate"] == "Failed"
    assert traveller.stages(build)["package"] == "not run"
    validation = Validation.from_json(traveller.artifact(build, "validate", names.VALIDATION_FILE).content)
    failed = {check.name for check in validation.checks if check.verdict is Verdict.FAIL}
    assert failed == {"mean_absolute_error", "r2_score"}
    assert "text/html" in traveller.artifact(build, "validate", "validation.html").headers["content-type"]
    assert traveller.ask().headers[names.REVISION_HEADER] == story.revisions[-1]


def test_a_model_that_is_a_little_worse_is_stopped_at_compare(traveller: Traveller, story: Story) -> None:
    worse = traveller.train("--variant", "boosted-small")
    before = traveller.newest(MODEL)
    traveller.promote(worse, "smaller is beautiful")
    build = traveller.delivered(before, worse)
    assert traveller.stages(build) == {
        "fetch": "Passed", "validate": "Passed", "compare": "Failed", "package": "not run"
    }  # fmt: skip
    assert "FAIL: worse than live" in traveller.console(build, "compare")
    assert traveller.ask().headers[names.REVISION_HEADER] == story.revisions[-1]


def test_every_answer_traces_back_to_run_data_and_promoter(traveller: Traveller, story: Story) -> None:
    answer = traveller.ask()
    trace = Trace.model_validate(traveller.trackback("trace", MODEL, "--release", answer.headers[names.RELEASE_HEADER]))
    run = traveller.run(story.runs["first"])
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    parameters = {parameter["key"]: parameter["value"] for parameter in run["data"]["params"]}
    assert trace.revision == answer.headers[names.REVISION_HEADER] == answer.json()["model"]["revision"]
    assert trace.candidate.run.run_id == story.runs["first"]
    assert trace.candidate.promotion.reason == "back to what we know"
    assert trace.candidate.run.parameters == parameters
    assert trace.candidate.run.git_commit == tags.get(names.GIT_COMMIT_TAG)
    assert trace.candidate.run.training.model_dump_json() == tags[names.TRAINING_DATA_TAG]
    assert trace.candidate.run.holdout.model_dump_json() == tags[names.HOLDOUT_TAG]
    assert trace.pipeline is not None
    assert trace.pipeline.name == MODEL


def test_an_answer_of_an_earlier_release_traces_back_as_well(traveller: Traveller, story: Story) -> None:
    history = [one for one in traveller.trackback("status")["models"] if one["model"] == MODEL]
    assert history[0]["rollout"]["previous"]["revision"] == story.revisions[-2]
    earlier = history[0]["rollout"]["previous"]["release"]
    trace = Trace.model_validate(traveller.trackback("trace", MODEL, "--release", earlier[:12]))
    assert trace.candidate.run.run_id == story.runs["second"]
    assert trace.candidate.promotion.reason == "learns more slowly, errs a little less"


def test_a_rollback_lets_the_previous_release_answer_without_a_failed_request(
    traveller: Traveller, story: Story
) -> None:
    with KeepsAsking(traveller) as client:
        traveller.trackback("rollback", MODEL, "--reason", "second thoughts")
        assert traveller.ask().headers[names.REVISION_HEADER] == story.revisions[-2]
    assert client.failures == []
    assert set(client.answers) <= {story.revisions[-1], story.revisions[-2]}


def test_gocd_has_nothing_to_complain_about_the_model_at_the_end(traveller: Traveller) -> None:
    """Of a model that was never promoted it says so, with the pipelines that wait for it."""
    assert [one for one in traveller.health_messages() if f" {traveller.model}" in one["message"]] == []

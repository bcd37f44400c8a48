"""One answer is found again by the id of its request; where it is not, one line says why that may be."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.contract.deployment import Action, Deployment, ModelState
from services.contract.errors import Refused, Unavailable
from services.contract.prediction_log import LoggedPrediction, LogQuery, is_sampled
from services.contract.release import PredictionLog, ServingLimits
from services.delivery.clients.rollout_client import Rollout
from services.delivery.store import Store
from services.delivery.verbs.traced_request import find_request, request_rows
from tests.support.release_factory import WHEN, ReleasePlan, build_release

MODEL = "diamond-price"


def answer(request: str, second: int = 0) -> LoggedPrediction:
    return LoggedPrediction(
        at=WHEN.replace(second=second),
        request_id=request,
        model=MODEL,
        revision="1-aaaaaaaa",
        release="d" * 64,
        status=200,
        seconds=0.00123,
        rows=2,
        columns=("carat", "cut"),
        inputs=[[0.3, "Ideal"], [0.7, None]],
        inputs_sha256="e" * 64,
        predictions=[4416.5, 2000.0],
    )


class Asked(Rollout):
    """A rollout service that has these logs, and this release live for each."""

    def __init__(self, logs: Mapping[str, Sequence[LoggedPrediction] | Refused], live: str) -> None:
        self.logs, self.live = logs, live

    def states(self) -> list[ModelState]:
        return [ModelState(model=model, url=None, answering=True, live=None, previous=None) for model in self.logs]

    def logged(self, model: str, query: LogQuery) -> list[LoggedPrediction]:
        found = self.logs[model]
        if isinstance(found, Refused):
            raise found
        return [one for one in found if query.request_id in (None, one.request_id)]

    def state(self, model: str) -> ModelState:
        live = Deployment(
            model=model,
            revision="1-aaaaaaaa",
            release=self.live,
            run_id="a" * 32,
            model_id=None,
            action=Action.DEPLOY,
            at=WHEN,
            by="ada",
            reason="",
        )
        return ModelState(model=model, url=None, answering=True, live=live, previous=None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def live_with(store_folder: Path, log: PredictionLog) -> str:
    return build_release(store_folder, ReleasePlan(limits=ServingLimits(prediction_log=log))).digest


def test_a_request_is_found_in_whichever_models_log_has_it(store: Store) -> None:
    rollout = Asked({"other": [], MODEL: [answer("r-1"), answer("r-2")]}, "")
    assert find_request(rollout, store, None, "r-2") == answer("r-2")


def test_the_newest_of_several_answers_to_one_id_is_traced(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    rollout = Asked({MODEL: [answer("r-1", 7), answer("r-1", 3)]}, "")
    assert find_request(rollout, store, MODEL, "r-1").at.second == 7
    assert "2 answers have the id r-1" in capsys.readouterr().err


def test_an_id_that_no_service_gives_or_takes_is_refused_before_anybody_is_asked(store: Store) -> None:
    with pytest.raises(Refused, match=r"--request: expected an id of at most 128 letters"):
        find_request(Asked({}, ""), store, None, 'r"1')


@pytest.mark.parametrize(
    ("share", "why"),
    [
        (0.0, "diamond-price keeps no log: serving.prediction_log.share in its model.yaml"),
        (0.25, "diamond-price keeps 0.25 of its requests, and this id is none of them"),
        (
            1.0,
            "diamond-price would keep this id, so it was not asked this, or longer ago than its 64000000 bytes reach",
        ),
    ],
)
def test_one_line_says_why_a_request_may_be_in_no_log(share: float, why: str, store: Store, tmp_path: Path) -> None:
    assert not is_sampled("r-4", 0.25)
    rollout = Asked({MODEL: []}, live_with(tmp_path, PredictionLog(share=share)))
    with pytest.raises(Refused) as refused:
        find_request(rollout, store, None, "r-4")
    assert str(refused.value) == f"expected request r-4 in a prediction log, found it in none: {why}"


def test_a_log_that_cannot_be_read_hides_no_other(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    rollout = Asked({"other": Refused("no container keeps one"), MODEL: [answer("r-1")]}, "")
    assert find_request(rollout, store, None, "r-1").request_id == "r-1"
    assert "note: no container keeps one" in capsys.readouterr().err


def test_a_rollout_service_that_does_not_answer_is_no_empty_log(store: Store) -> None:
    with pytest.raises(Unavailable):
        find_request(Asked({MODEL: Unavailable("is it up?")}, ""), store, None, "r-1")


def test_what_was_asked_and_answered_is_told_in_lines() -> None:
    assert request_rows(answer("r-1"), "%Y-%m-%d") == {
        "request": "r-1, 2026-01-02: 200 in 1.23 ms, 2 rows",
        "asked": "{'carat': 0.3, 'cut': 'Ideal'} and more",
        "rows' digest": "e" * 64,
        "answered": "4416.5 and more",
    }
    kept = {"inputs": None, "predictions": None, "rows": 1}
    assert request_rows(answer("r-1").model_copy(update=kept), "%Y")["asked"] == "not kept"

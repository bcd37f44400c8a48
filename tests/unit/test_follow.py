"""Following models: every look at every model, round after round, whatever one of them refuses."""

import threading

from services.contract.errors import Refused
from services.delivery.follow import Follower
from tests.poll import poll_until

MODELS = ("a-model", "b-model")


class Looked:
    """A look that notes what it was given, and refuses while `reason` is set."""

    def __init__(self, reason: str | None = None) -> None:
        self.models: list[str] = []
        self.reason = reason

    def __call__(self, model: str) -> None:
        self.models.append(model)
        if self.reason:
            raise Refused(self.reason)


def test_every_look_is_given_every_model_each_round_and_models_may_come() -> None:
    models, first, second = ["a-model"], Looked(), Looked()
    follower = Follower(lambda: models, [first, second], lambda _: None)
    follower.round()
    models.append("b-model")
    follower.round()
    assert first.models == second.models == ["a-model", "a-model", "b-model"]


def test_what_a_look_refuses_is_said_once_and_stops_no_other_look_or_model() -> None:
    said: list[str] = []
    refusing, after = Looked("MLflow is away"), Looked()
    follower = Follower(lambda: MODELS, [refusing, after], said.append)
    for _ in range(3):
        follower.round()
    assert said == ["MLflow is away"]
    assert refusing.models == after.models == [*MODELS] * 3


def test_a_refusal_that_comes_again_after_a_good_round_is_said_again() -> None:
    said: list[str] = []
    look = Looked("away")
    follower = Follower(lambda: MODELS, [look], said.append)
    for reason in ("away", None, "away", "closed"):
        look.reason = reason
        follower.round()
    assert said == ["away", "away", "closed"]


def test_a_stop_ends_it_in_the_midst_of_a_pause() -> None:
    look = Looked()
    follower = Follower(lambda: MODELS, [look], lambda _: None, seconds=3600)
    thread = threading.Thread(target=follower.run)
    thread.start()
    poll_until(lambda: look.models == [*MODELS], "the first round", pause=0.01)
    follower.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert look.models == [*MODELS]

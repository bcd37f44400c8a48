"""Asking whether MLflow is there, also where its address holds a login."""

import pytest

from services.contract.errors import Refused
from services.contract.tracking_server import refuse_unless_up
from tests.support.web_receiver import Receiver, receiving


def test_a_server_with_a_login_in_its_address_is_asked_without_it() -> None:
    with receiving(Receiver()) as mlflow:
        refuse_unless_up(mlflow.url.replace("://", "://ada:hunter2@") + "/")
    assert [path for _, path, _ in mlflow.got] == ["/health"]


@pytest.mark.parametrize("place", ["127.0.0.1:9", "127.0.0.1:port"])
def test_a_server_that_does_not_answer_is_one_line_without_the_login(place: str) -> None:
    with pytest.raises(Refused) as refused:
        refuse_unless_up(f"http://ada:hunter2@{place}")
    assert str(refused.value).startswith(f"expected MLflow at http://{place}, cannot reach it (")


def test_a_tracking_uri_that_is_no_web_address_is_not_asked() -> None:
    refuse_unless_up("sqlite:///mlflow.db")

"""The short way of a request has the answers and errors of the general one, to the byte."""

import asyncio
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from services.prediction.answer_body import AnswerBody
from services.prediction.app import create_api, create_app
from services.prediction.asked import Asked
from services.prediction.hot.route import HotRoute
from services.prediction.predictor import Predictor
from services.prediction.turns import Turns
from tests.support.asgi_asked import JSON, Reply, ask
from tests.support.generated_requests import bodies
from tests.support.release_factory import ROWS
from tests.support.served_here import LIMITS, every_runtime

# More by hand: HOT_ROUTE_EXAMPLES=20000.
pytestmark = pytest.mark.thorough

EXAMPLES = int(os.environ.get("HOT_ROUTE_EXAMPLES", "60"))
BODY = b'{"instances": [[0.3, "Ideal", 1]]}'
RUNTIMES = ("sklearn", "onnx", "onnx, labels", "fasttext", "pyfunc", "pyfunc, optional text")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    return every_runtime(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_both_ways_answer_alike_whatever_arrives_together(runtime: str, served: dict[str, Predictor]) -> None:
    predictor = served[runtime]
    general, hot = create_api(predictor), create_app(predictor)

    async def asked(burst: list[bytes]) -> tuple[list[Reply], list[Reply]]:
        return [await ask(general, body) for body in burst], await asyncio.gather(*(ask(hot, body) for body in burst))

    with asyncio.Runner() as runner:

        @example([b'{"instances": []}'])
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            report_multiple_bugs=False,
            database=None,
            derandomize="HOT_ROUTE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(bodies(predictor.manifest.inputs, LIMITS.max_rows), min_size=1, max_size=4))
        def compare(burst: list[bytes]) -> None:
            expected, found = runner.run(asked(burst))
            assert found == expected

        compare()


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  an ASGI application
    raise LookupError("passed on")


FORMS = (
    {"instances": [ROWS[0]]},
    {"inputs": [list(row) for row in ROWS]},
    {"dataframe_split": {"columns": ["grade", "carat", "cut"], "data": [[1, 0.3, "Ideal: a cut"]]}},
    {"dataframe_records": [{"cut": 'a "cut"', "grade": 1, "carat": 1}]},
    {"instances": [{"carat": 0.3, "cut": "Ideal", "grade": 1}]},
    {"inputs": {"carat": [0.3, 1], "cut": ["Ideal", "x"], "grade": [1, 2]}},
)


@pytest.mark.parametrize("content", FORMS, ids=lambda content: next(iter(content)))
def test_the_forms_that_clients_send_are_answered_the_short_way(
    content: dict[str, Any], served: dict[str, Predictor]
) -> None:
    predictor = served["sklearn"]
    route = HotRoute(nobody, predictor, AnswerBody({"name": "x"}), Turns())
    reply = asyncio.run(ask(route, json.dumps(content).encode()))
    assert (reply.status, reply.body[:15]) == (200, b'{"predictions":')


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [[1, "Ideal", 1]], "instances": [[2, "Ideal", 1]]}',
        b'{"dataframe_records": [{"carat": 1, "carat": 2, "cut": "x", "grade": 1}]}',
        b'{"dataframe_records": [{"carat": 1, "carat": 2, "cut": "\\u003a", "grade": 1}]}',
        b'{"inputs": [[1, "Ideal", 1]], "instances": []}',
    ],
)
def test_a_name_that_is_given_twice_goes_the_general_way_which_refuses_it(
    body: bytes, served: dict[str, Predictor]
) -> None:
    with pytest.raises(LookupError, match="passed on"):
        asyncio.run(ask(HotRoute(nobody, served["sklearn"], AnswerBody({}), Turns()), body))


def test_an_answer_that_is_asked_in_arrow_goes_the_general_way(served: dict[str, Predictor]) -> None:
    arrow = (b"accept", b"application/vnd.apache.arrow.stream")
    with pytest.raises(LookupError, match="passed on"):
        asyncio.run(ask(HotRoute(nobody, served["sklearn"], AnswerBody({}), Turns()), BODY, [JSON, arrow]))


def test_what_is_observed_of_a_request_are_its_rows_and_those_of_its_batch(served: dict[str, Predictor]) -> None:
    app, asked = create_app(served["sklearn"]), [Asked("a"), Asked("b", wanted=True)]

    async def together() -> None:
        await asyncio.gather(*(ask(app, BODY, asked=one) for one in asked))
        await ask(app, b'{"params": {}, "instances": [[0.3, "Ideal", 1]]}', asked=general)

    general = Asked("c", wanted=True)
    asyncio.run(together())
    assert [(one.rows, one.batch) for one in (*asked, general)] == [(1, 2), (1, 2), (1, 1)]
    assert asked[0].outputs is None
    assert [list(map(tuple, one.inputs)) for one in (asked[1], general)] == [[(0.3, "Ideal", 1)]] * 2
    assert asked[1].outputs == general.outputs

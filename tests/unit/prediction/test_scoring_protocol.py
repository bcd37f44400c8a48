"""What MLflow's own scoring server answers, this service answers with the same rows, or a list says why it does not."""

import json
import math
import re
from typing import Any

import pytest

from services.contract.release import Column
from services.prediction.content_type import CSV, JSON, MediaType, media_type
from services.prediction.invalid import Invalid
from services.prediction.invocations import read_invocation
from services.prediction.params import read_params
from tests.support import recorded_scoring
from tests.support.paths import ROOT

RECORDED = json.loads(recorded_scoring.RECORDED.read_text(encoding="utf-8"))
ANSWERS: dict[str, dict[str, Any]] = RECORDED["requests"]

NO_ROW = "who sends no row has lost them"
CONVERTED = "MLflow converts it without a word"
MISSING = "a model that was trained on values in every row is given none"
NOT_A_NUMBER = "NaN and infinity are no JSON, and no value of a row"
# What MLflow answers and this service refuses.
STRICTER = {
    "nothing": NO_ROW,
    "csv without rows": NO_ROW,
    "null": MISSING,
    "null for text": MISSING,
    "csv of text that is empty": MISSING,
    "csv of text that is quoted and empty": MISSING,
    "NaN": NOT_A_NUMBER,
    "infinity": NOT_A_NUMBER,
    "too large": NOT_A_NUMBER,
    "csv of NaN for double": NOT_A_NUMBER,
    "csv of infinity for double": NOT_A_NUMBER,
    "fraction for whole": CONVERTED,
    "text for double": CONVERTED,
    "true for double": CONVERTED,
    "number for text": CONVERTED,
    "number for text in records": CONVERTED,
    "list for text in records": CONVERTED,
    "object for text in records": CONVERTED,
    "zero for flag": CONVERTED,
    "text for flag": CONVERTED,
    "csv of 0 for a flag": CONVERTED,
    "a column of lists": "a list is no text, and neither true nor false",
    "a value beside two": "one value is not that of several rows",
    "a name twice": "nobody knows which is meant",
    "csv with a column twice": "nobody knows which is meant",
    "parameters of no object": "who sends parameters wants them",
}
ROWS = "values in the order of the columns, as TensorFlow Serving takes them"
# What MLflow refuses and this service answers.
KINDER = {
    "rows": ROWS,
    "a list of lists": ROWS,
    "more columns of another length": "what is ignored is not looked at",
    "content type APPLICATION/JSON": "RFC 9110, section 8.3.1: it may be written in capitals",
}
# What both answer, from other rows.
OTHERWISE = {
    "a list of lists": "MLflow gives the model a list for a text",
    "csv of text NA": "a text that is there is a text: Namibia's, say",
}


def kind(name: str) -> str:
    """Without the model and the form."""
    return re.sub(r"^(\w+: )?(inputs, |instances, |split, |records, )?", "", name)


def read(answer: dict[str, Any]) -> list[list[Any]] | None:
    """The rows that the model is given, null for a missing number; None for a request that is refused."""
    inputs = recorded_scoring.MODELS[answer["model"]]
    try:
        asked = read_invocation(answer["body"].encode(), inputs, 10, media_type(answer["content_type"]))
        read_params(asked.params, "classification")
    except Invalid:
        return None
    return [[None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in asked.rows]


def given(answer: dict[str, Any]) -> list[list[Any]] | None:
    """The rows that MLflow gave its model, None for a request that it refused."""
    columns = [column.name for column in recorded_scoring.MODELS[answer["model"]]]
    if answer["status"] != 200:
        return None
    return [[row.get(name) for name in columns] for row in answer["rows"]]


def apart(name: str) -> dict[str, str] | None:
    """The list that has to say why, None where both do the same."""
    mine, theirs = read(ANSWERS[name]), given(ANSWERS[name])
    if mine is None or theirs is None:
        return None if mine == theirs else STRICTER if mine is None else KINDER
    return None if json.dumps(mine) == json.dumps(theirs) else OTHERWISE


@pytest.mark.parametrize("name", ANSWERS)
def test_this_service_takes_a_request_as_mlflows_own_server_or_a_list_says_why_not(name: str) -> None:
    if (reasons := apart(name)) is not None:
        assert kind(name) in reasons


def test_the_lists_hold_nothing_that_both_do_alike() -> None:
    found = {"stricter": STRICTER, "kinder": KINDER, "otherwise": OTHERWISE}
    used = {which: {kind(name) for name in ANSWERS if apart(name) is reasons} for which, reasons in found.items()}
    assert used == {which: set(reasons) for which, reasons in found.items()}


def test_the_requests_that_were_recorded_are_those_that_are_sent_now() -> None:
    """Else: .venv/dev/bin/python -m tests.support.recorded_scoring"""
    sent = {name: (one.model, one.body, one.content_type) for name, one in recorded_scoring.requests()}
    assert {name: (one["model"], one["body"], one["content_type"]) for name, one in ANSWERS.items()} == sent


def test_the_answers_were_recorded_from_the_mlflow_that_is_locked() -> None:
    assert f"\nmlflow=={RECORDED['mlflow']} " in (ROOT / "requirements" / "dev.txt").read_text()


ONE = (Column(name="text", type="string"),)


@pytest.mark.parametrize(
    ("body", "media", "status", "text"),
    [
        (b"text\n" + b"a\n" * 11, CSV, 413, "csv.data: expected at most 10 rows, found 11: send them in parts"),
        (b"text\n\xff\n", CSV, 400, "expected CSV in UTF-8, found something else"),
        (b'text\n"a\n', CSV, 400, "expected CSV in UTF-8, found something else"),
        (b"", CSV, 400, "expected CSV whose first line has the columns' names, found no line"),
        (b"text,more\na\n", CSV, 422, "row 0: expected a list of 2 values, found a list of 1"),
        (b'{"inputs": "a"}', JSON, 422, "inputs: expected a list, found a string"),
        (b'{"inputs": {"text": {"a": 1}}}', JSON, 422, "row 0, column 'text': expected a string, found an object"),
    ],
)
def test_what_is_refused_is_named(body: bytes, media: MediaType, status: int, text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_invocation(body, ONE, 10, media)
    assert (refusal.value.status, text in str(refusal.value)) == (status, True), refusal.value


def test_a_field_of_csv_may_be_as_long_as_the_body() -> None:
    long = "a" * 200_000
    assert read_invocation(f"text\n{long}\n".encode(), ONE, 10, CSV).rows == [[long]]


@pytest.mark.parametrize("header", ["", "text/plain", "application/jsonp", "text/csv; charset=latin-1", "text/csv; a"])
def test_another_content_type_is_refused(header: str) -> None:
    with pytest.raises(Invalid, match="^expected the header Content-Type|^expected a Content-Type of") as refusal:
        media_type(header)
    assert refusal.value.status == 415

"""The recorded responses that the Java tests read are those of the installed MLflow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.recorded_mlflow import RECORDED, read, record, write

FILES = read(RECORDED)
ADVICE = (
    "MLflow answers otherwise than recorded: see what the plugin makes of that, then record it with"
    " '.venv/dev/bin/python -m tests.support.recorded_mlflow'"
)


@pytest.fixture(scope="module")
def live(mlflow_url: str) -> dict[str, Any]:
    return record(mlflow_url)


def shape(value: Any, at: str = "") -> Iterator[str]:
    """A line for each place in a JSON value, with its type; of an error its code."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield f"{at} = {value}" if at == ".error_code" else f"{at}: {type(value).__name__}"
    for key, part in inside:
        yield from shape(part, f"{at}.{key}")


@pytest.mark.parametrize("name", FILES)
def test_mlflow_still_answers_in_the_recorded_shape(name: str, live: dict[str, Any]) -> None:
    recorded, answered = FILES[name], live.get(name, {"request": "asked no more"})
    assert answered["request"] == recorded["request"], ADVICE
    assert answered["status"] == recorded["status"], ADVICE
    assert list(shape(json.loads(answered["body"]))) == list(shape(json.loads(recorded["body"]))), ADVICE


def test_recording_again_gives_exactly_the_files_that_are_here(live: dict[str, Any], tmp_path: Path) -> None:
    write({"no-longer-asked": {}}, tmp_path)
    write(live, tmp_path)
    assert texts(tmp_path) == texts(RECORDED), ADVICE


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_shape_tells_keys_and_types_and_error_codes_apart() -> None:
    assert list(shape({"runs": [{"end_time": 1}], "outputs": {}})) == [
        ": dict",
        ".runs: list",
        ".runs.0: dict",
        ".runs.0.end_time: int",
        ".outputs: dict",
    ]
    assert list(shape({"error_code": "A"})) != list(shape({"error_code": "B"}))

"""The flights: what a row is, where its weather comes from, and that the hold-out is what the package gives."""

from pathlib import Path
from typing import Any

import pandas
import pytest

from services.contract.model_config import ModelConfig, load_model_config
from tests.support.paths import MODELS
from training.dataset import split
from training.model_code import find_function
from training.sources import package_files

FLIGHT = {
    "year": 2013,
    "month": 3,
    "day": 4,
    "carrier": "UA",
    "origin": "JFK",
    "dest": "LAX",
    "hour": 9,
    "distance": 2475,
}
WEATHER = {
    "origin": "JFK",
    "temp": 41.0,
    "humid": 50.0,
    "wind_speed": 9.2,
    "precip": 0.1,
    "pressure": 1010.0,
    "visib": 10.0,
}
MARCH, NOON = "2013-03-04T14:00:00Z", "2013-03-04T17:00:00Z"


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    return load_model_config(MODELS, "flight-delay")


def load(files: list[Path]) -> pandas.DataFrame:
    frame: pandas.DataFrame = find_function(MODELS / "flight-delay", "data.py", "load")(files)
    return frame


def made_up(folder: Path, flights: list[dict[str, Any]], weather: list[dict[str, Any]]) -> pandas.DataFrame:
    files = [folder / "flights.csv.zip", folder / "weather.csv"]
    pandas.DataFrame([{**FLIGHT, "time_hour": MARCH, "arr_delay": 0.0, **flight} for flight in flights]).to_csv(
        files[0]
    )
    pandas.DataFrame([{**WEATHER, "time_hour": MARCH, **hour} for hour in weather]).to_csv(files[1])
    return load(files)


def test_a_flight_is_late_when_it_arrives_more_than_fifteen_minutes_after_its_time(tmp_path: Path) -> None:
    rows = made_up(tmp_path, [{"arr_delay": minutes} for minutes in (-30.0, 15.0, 16.0)], [{}])
    assert rows["late"].tolist() == [0, 0, 1]


def test_a_flight_that_never_arrived_is_left_out(tmp_path: Path) -> None:
    rows = made_up(tmp_path, [{"arr_delay": None, "carrier": "AA"}, {}], [{}])
    assert rows["carrier"].tolist() == ["UA"]


def test_the_weather_is_that_of_the_origin_at_that_hour_and_missing_where_there_is_none(tmp_path: Path) -> None:
    hours: list[dict[str, Any]] = [{"temp": 30.0, "time_hour": NOON}, {"temp": 41.0}, {"temp": 20.0, "origin": "EWR"}]
    rows = made_up(tmp_path, [{}, {"time_hour": NOON}, {"origin": "LGA"}], hours)
    assert rows["temp"].tolist()[:2] == [41.0, 30.0]
    assert rows["temp"].isna().tolist() == [False, False, True]


def test_a_wind_that_no_storm_has_reached_is_missing(tmp_path: Path) -> None:
    hours: list[dict[str, Any]] = [{"wind_speed": 1048.36}, {"wind_speed": 42.6, "time_hour": NOON}]
    assert made_up(tmp_path, [{}, {"time_hour": NOON}], hours)["wind_speed"].isna().tolist() == [True, False]


def test_the_weekday_is_counted_from_monday(tmp_path: Path) -> None:
    assert made_up(tmp_path, [{}, {"day": 10}], [{}])["weekday"].tolist() == [0, 6]


@pytest.mark.thorough
def test_the_package_gives_each_flight_that_arrived_once_and_the_hold_out_that_is_pinned(config: ModelConfig) -> None:
    files = package_files(config.data.packages)
    assert [path.name for path in files.values()] == ["flights.csv.zip", "weather.csv"]
    frame = load(list(files.values()))
    assert len(frame) == 327_346
    assert frame["late"].sum() == 77_630
    dataset = split(frame, config.data, config.task, config.data.source)
    assert dataset.holdout.digest.sha256 == config.data.holdout_sha256

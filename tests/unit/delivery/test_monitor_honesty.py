"""monitor is seldom sure of drift where there is none, and finds what was planted: on windows of known kinds."""

import re

import pytest

from benchmarks.monitor_honesty import NOTHING, PAGE, PLANTS, RULES, Line, lies, simulated, table, with_table


@pytest.mark.thorough
def test_of_windows_like_the_hold_out_few_are_sure_and_none_drifts() -> None:
    found = simulated(NOTHING, RULES.min_rows, 20)
    assert not lies(found)
    assert found.drifted == 0


@pytest.mark.thorough
@pytest.mark.parametrize("planted", [one for one in PLANTS if one != NOTHING and "0.1 of" not in one])
def test_what_was_planted_is_found_in_windows_of_the_fewest_rows(planted: str) -> None:
    assert simulated(planted, RULES.min_rows, 3).drifted == 3


def test_a_gauge_of_errors_that_is_too_high_is_a_lie() -> None:
    assert not lies(Line(NOTHING, 500, 1000, 65, 0))
    assert lies(Line(NOTHING, 500, 1000, 75, 0))


def test_the_table_in_the_docs_tells_of_a_thousand_windows_a_line_none_of_which_shows_a_lie() -> None:
    found = re.findall(
        r"^\| (.*?) \| +([\d,]+) \| +([\d,]+) \| +([\d.]+)% \| +([\d.]+)% \|$", PAGE.read_text(), flags=re.M
    )
    assert {planted for planted, *_ in found} == set(PLANTS)
    of_nothing = [
        (int(windows.replace(",", "")), float(sure)) for planted, _, windows, sure, _ in found if planted == NOTHING
    ]
    assert min(windows for windows, _ in of_nothing) >= 1000
    assert not any(lies(Line(NOTHING, 0, windows, round(windows * sure / 100), 0)) for windows, sure in of_nothing)


def test_the_table_takes_the_place_of_the_one_before() -> None:
    marked = "before\n<!-- table: monitor-honesty, by x -->\n\nold\n\n<!-- end of table -->\nafter\n"
    text = table([Line(NOTHING, 500, 10, 1, 0)])
    assert with_table(marked, text).splitlines()[5] == "| nothing | 500 | 10 | 10.0% | 0.0% |"
    assert with_table(with_table(marked, text), text) == with_table(marked, text)

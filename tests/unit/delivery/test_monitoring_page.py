"""monitoring.html: the verdict first, then what decided, and nothing that a client sent becomes HTML."""

import html
import re
from collections import Counter

import pytest

from services.contract.monitoring import Drift, Monitoring
from services.delivery.reports.monitoring_view import decided, headline
from services.delivery.reports.report import monitoring_page
from tests.support.monitoring_records import monitoring
from tests.unit.delivery.test_reports import HOSTILE, section, texts


@pytest.fixture(scope="module")
def page() -> str:
    """Drawn once, because that takes most of the time; with a column and a word that somebody named in bad faith."""
    return monitoring_page(monitoring(Drift.DRIFTED, HOSTILE))


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Drift.STABLE, "Production is like the hold-out: none of 6 columns moved, on 12,345 rows."),
        (
            Drift.DRIFTED,
            "Production is not what the release was validated for: 1 of 6 columns moved and the metric is worse than "
            "promised, on 12,345 rows.",
        ),
        (Drift.TOO_FEW, "Nothing can be said yet: 123 rows, at least 500 are needed."),
    ],
)
def test_the_verdict_is_a_sentence(verdict: Drift, said: str) -> None:
    assert headline(monitoring(verdict)) == said


def test_a_page_says_the_verdict_first(page: str) -> None:
    assert texts(page)[1:3] == ["✕ drifted", headline(monitoring(Drift.DRIFTED))]


def test_what_decided_is_the_metric_and_what_counts_and_drifted() -> None:
    metric, column = decided(monitoring(Drift.DRIFTED))
    assert (metric.name, metric.word, column.name) == ("mean absolute error", "worse", "carat")
    assert metric.words.startswith(
        "491 on 10,734 rows with a label, promised 331; 154 to 166 worse with 95% confidence"
    )
    assert column.words == "values by a stability index of 0.61 (p 1.2e-08)"


def test_of_a_stable_window_the_largest_move_is_told() -> None:
    *_, last = decided(monitoring(Drift.STABLE))
    assert last.words.endswith("moved most: values by a stability index of 0.01, from 0.1 on it matters (p = 1.000)")


def test_a_column_that_does_not_count_is_in_the_table_with_its_reason(page: str) -> None:
    row = next(one for one in section(page, "All columns").split("<tr>") if ">sold" in one)
    assert "not counted" in texts(row)
    assert "a moment moves by itself; values by a stability index of 0.61" in row
    assert "drifted" not in row


def test_what_a_client_sent_is_text_on_the_page_and_no_element(page: str) -> None:
    assert html.unescape(page).count("<script>alert(1)") > 3
    assert not re.search(r"<(script|img)|could not be drawn|37035", page)


def test_a_page_needs_nothing_from_anywhere_and_no_style_but_its_own(page: str) -> None:
    assert not re.search(r"\sstyle=|<script|<link|https?:|url\((?!#)|@import|<image|could not be drawn", page)
    assert page.count("<svg") == 10
    names = Counter(re.findall(r'\sid="([^"]*)"', page))
    assert [name for name, times in names.items() if times > 1] == []


def test_the_record_is_read_as_it_was_written() -> None:
    one = monitoring(Drift.DRIFTED)
    assert Monitoring.from_json(one.to_json()) == one

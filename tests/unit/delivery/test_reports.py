"""The gates' pages: the numbers are there, and nothing that a model or a person named becomes HTML."""

import re

import pytest

from services.contract.candidate import DataDigest
from services.contract.comparison import Comparison, Live
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict
from services.delivery.reports.report import comparison_page, validation_page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&gt;&lt;img src=x onerror=alert(1)&gt;&amp;amp;"
HOLDOUT = DataDigest(sha256="b" * 64, rows=400, source="made up")


def validation(text: str) -> Validation:
    checks = (
        Check(name="hold-out", verdict=Verdict.PASS, expected="the pinned one", found="it"),
        Check(name=text, verdict=Verdict.FAIL, expected=text, found=text),
    )
    return Validation(
        model="toy",
        revision="7-aaaaaaaa",
        candidate="c" * 64,
        holdout=HOLDOUT,
        verdict=Verdict.FAIL,
        checks=checks,
        metrics={},
        latency_ms={},
    )


def comparison(text: str, interval: tuple[float, float] | None = (-0.25, 1.75)) -> Comparison:
    """The least that is accepted is -0.5; zero is a quarter of the line from there to 1.75."""
    return Comparison(
        model="toy",
        revision="7-aaaaaaaa",
        candidate="c" * 64,
        holdout=HOLDOUT,
        live=Live(revision="6-bbbbbbbb", release="d" * 64, model_digest="e" * 64) if interval else None,
        metric=text,
        candidate_value=1.5,
        live_value=2.25 if interval else None,
        difference=0.75 if interval else None,
        interval=interval,
        allowed=0.5 if interval else None,
        confidence=0.95,
        margin=0.1,
        verdict=Verdict.PASS,
        summary=text,
    )


def texts(page: str) -> list[str]:
    """Of the page's elements, without their tags and the style."""
    body = page.partition("</style>")[2]
    return [text.strip() for text in re.split(r"<[^>]*>", body) if text.strip()]


@pytest.mark.parametrize(
    ("page", "times"), [(validation_page(validation(HOSTILE)), 3), (comparison_page(comparison(HOSTILE)), 2)]
)
def test_a_hostile_name_is_text_on_the_page_and_no_element(page: str, times: int) -> None:
    assert page.count(ESCAPED) == times
    assert not re.search(r"<(script|img)", page)


def test_a_validations_page_has_a_row_for_each_check_in_its_verdicts_color() -> None:
    page = validation_page(validation("r2_score"))
    assert texts(page) == [
        "Validation of toy 7-aaaaaaaa:", "fail", f"400 hold-out rows, SHA-256 {'b' * 64}",
        "verdict", "check", "expected", "found",
        "pass", "hold-out", "the pinned one", "it",
        "fail", "r2_score", "r2_score", "r2_score",
    ]  # fmt: skip
    assert '<td class="pass">pass</td><td>hold-out</td>' in page
    assert '<td class="fail">fail</td><td>r2_score</td>' in page


def test_a_comparisons_page_draws_the_interval_with_zero_and_the_limit() -> None:
    page = comparison_page(comparison("accuracy_score"))
    assert texts(page) == [
        "Comparison of toy 7-aaaaaaaa with live:", "pass", "accuracy_score",
        "limit -0.5", "-0.25 to 1.75 better",
        "metric", "accuracy_score", "candidate", "7-aaaaaaaa: 1.5", "live", "6-bbbbbbbb: 2.25",
        "better by", "0.75 (95% interval -0.25 to 1.75)", "hold-out", f"400 rows, SHA-256 {'b' * 64}",
    ]  # fmt: skip
    # From 60, where the limit of -0.5 is, to 940, where the interval ends at 1.75.
    assert re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"', page) == [
        ("60.0", "60.0"), ("255.6", "255.6"), ("157.8", "940.0")
    ]  # fmt: skip


def test_the_first_release_has_a_page_without_an_interval() -> None:
    page = comparison_page(comparison("accuracy_score", interval=None))
    assert "nothing was live" in texts(page)
    assert "<svg" not in page
    assert "better by" not in page

"""The gates' pages: the verdict first, what decided, the numbers; and nothing that anybody named becomes HTML."""

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import numpy
import pytest
from sklearn import metrics

from services.contract.candidate import DataDigest
from services.contract.comparison import Comparison
from services.contract.task import Task
from services.contract.validation import Validation
from services.contract.verdict import Check, Verdict
from services.delivery.reports import words
from services.delivery.reports.drawing import COLORS, Canvas, Plot, drawn
from services.delivery.reports.evidence import Evidence
from services.delivery.reports.figures.curves import ranked
from services.delivery.reports.figures.intervals import slice_name
from services.delivery.reports.report import TEMPLATES, comparison_page, validation_page
from tests.support.report_evidence import HOLDOUT, TASKS, case, evidence

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp; $x^2$ {{ 12345 * 3 }}"
# As they were kept before the gates had estimates, differences and flips.
OLD_VALIDATION = {
    "model": "toy", "revision": "7-aaaaaaaa", "candidate": "c" * 64, "verdict": "fail",
    "holdout": {"rows": 400, "sha256": "b" * 64, "source": "made up"},
    "checks": [
        {"name": "hold-out", "verdict": "pass", "expected": "the pinned one", "found": "it"},
        {"name": "mean_absolute_error", "verdict": "fail", "expected": "≤ 1000", "found": "3010.67"},
    ],
    "metrics": {"mean_absolute_error": 3010.67}, "latency_ms": {"p50": 1.0, "p99": 2.0},
}  # fmt: skip
OLD_COMPARISON = {
    "model": "toy", "revision": "7-aaaaaaaa", "candidate": "c" * 64, "verdict": "pass",
    "holdout": {"rows": 400, "sha256": "b" * 64, "source": "made up"},
    "live": {"revision": "6-bbbbbbbb", "release": "d" * 64, "model_digest": "e" * 64},
    "metric": "mean_absolute_error", "candidate_value": 1.5, "live_value": 2.25, "difference": 0.75,
    "interval": [-0.25, 1.75], "allowed": 0.5, "confidence": 0.95, "margin": 0.1, "summary": "not worse than live",
}  # fmt: skip


def texts(page: str) -> list[str]:
    """Of the page's elements, without their tags and the style."""
    body = page.rpartition("</style>")[2]
    return [text.strip() for text in re.split(r"<[^>]*>", body) if text.strip()]


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next one."""
    return page.partition(f"<h2>{title}</h2>")[2].partition("<h2>")[0]


def renamed(found: Any, text: str) -> Any:
    """The record with `text` in every free text that it has."""
    if isinstance(found, dict):
        kept = (
            "model",
            "revision",
            "candidate",
            "sha256",
            "verdict",
            "gate",
            "at",
            "release",
            "model_digest",
            "metric",
        )
        return {name: one if name in kept else renamed(one, text) for name, one in found.items()}
    if isinstance(found, list | tuple):
        return [renamed(one, text) for one in found]
    return text if isinstance(found, str) else found


@pytest.mark.thorough
@pytest.mark.parametrize("task", TASKS)
def test_what_anybody_named_is_text_on_the_page_and_no_element(task: Task) -> None:
    one = case(task, Verdict.INCONCLUSIVE)
    validation = Validation.model_validate(renamed(one.validation.model_dump(mode="json"), HOSTILE))
    comparison = Comparison.model_validate(renamed(one.comparison.model_dump(mode="json"), HOSTILE))
    hostile = replace(
        one.evidence,
        target=HOSTILE,
        unit=HOSTILE,
        columns=tuple(f"{HOSTILE}{place}" for place in range(len(one.evidence.columns))),
        rows=[[HOSTILE] * len(one.evidence.columns)] * len(one.evidence.rows),
    )
    for page in (validation_page(validation, hostile), comparison_page(comparison, hostile)):
        assert page.count("&lt;script&gt;alert(1)") > 5
        assert not re.search(r"<(script|img)|could not be drawn|37035|onerror=alert\(1\)>[^&]", page)


@pytest.mark.thorough
@pytest.mark.parametrize(("task", "verdict"), list(zip(TASKS, Verdict, strict=True)))
def test_a_page_needs_nothing_from_anywhere_and_no_style_but_its_own(task: Task, verdict: Verdict) -> None:
    one = case(task, verdict)
    for page in (validation_page(one.validation, one.alone), comparison_page(one.comparison, one.evidence)):
        assert not re.search(r"\sstyle=|<script|<link|https?:|url\((?!#)|@import|<image|could not be drawn", page)
        assert page.count("<svg") >= 3
        names = Counter(re.findall(r'\sid="([^"]*)"', page))
        assert [name for name, times in names.items() if times > 1] == []
        assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', page)) == set(names)


@pytest.mark.thorough
def test_equal_records_and_answers_give_equal_pages() -> None:
    one = case("regression", Verdict.PASS)
    assert comparison_page(one.comparison, one.evidence) == comparison_page(one.comparison, one.evidence)


@pytest.mark.thorough
def test_a_refused_model_s_page_says_so_first_then_which_checks_did_not_pass() -> None:
    one = case("regression", Verdict.FAIL)
    told = texts(validation_page(one.validation, one.alone))
    assert told[:4] == [
        f"Validation of diamond-price, revision {one.validation.revision}",
        "✕ fail",
        "The model stops here: 1 of 13 checks did not pass.",
        "What decided",
    ]
    stopped = next(check for check in one.validation.checks if check.stops)
    assert told[4:7] == ["✕ fail", "mean_absolute_error", f": expected {stopped.expected}, found {stopped.found}"]


def test_of_many_checks_that_stop_it_the_first_are_named_and_the_others_counted() -> None:
    found = case("regression", Verdict.FAIL).validation
    stopped = [one for one in found.checks if one.stops] * 11
    told = section(validation_page(found.model_copy(update={"checks": tuple(stopped)})), "What decided")
    assert told.partition("</ul>")[0].count("<li>") == 9
    assert "3 more, which the table of all checks names" in told


def test_of_a_pass_the_bound_that_was_nearest_is_named() -> None:
    one = case("regression", Verdict.PASS)
    told = section(validation_page(one.validation, one.alone), "What decided")
    # r2 is 13 % above its bound at least; the errors are 70 % below theirs.
    assert "closest to its bound, r2_score" in told
    assert "found 0.9349, 0.9059 to 0.961 with 95% confidence; expected ≥ 0.8" in told


@pytest.mark.thorough
def test_what_a_person_accepted_what_is_switched_off_and_warnings_stand_above_the_numbers() -> None:
    one = case("binary-classification", Verdict.INCONCLUSIVE)
    for page in (validation_page(one.validation, one.alone), comparison_page(one.comparison, one.evidence)):
        above = " ".join(texts(page.partition("<h2>Numbers</h2>")[0]))
        assert "It could not be decided whether the model is good enough" in above
        assert "Accepted by grace on 2026-11-20 14:03 UTC: the bound was set for last year&#39;s prices" in above
        assert "Warning" in above
    above = " ".join(texts(validation_page(one.validation).partition("<h2>Numbers</h2>")[0]))
    assert "stability : fastText adds in another order" in above
    assert "It would have said: fail, 12 rows differ" in above


def test_a_check_that_is_switched_off_neither_counts_nor_decides() -> None:
    off = Check(
        name="leakage", gate="leakage", verdict=Verdict.FAIL, expected="none", found="3 rows", off="known since May"
    )
    found = case("regression", Verdict.PASS).validation
    page = validation_page(found.model_copy(update={"checks": (found.checks[0], off)}))
    assert "all" not in texts(page)[2].split()
    assert "the one check passed" in texts(page)[2]


def test_a_better_model_s_page_says_what_it_may_replace_and_by_how_much() -> None:
    one = case("regression", Verdict.PASS)
    page = comparison_page(one.comparison, one.evidence)
    assert texts(page)[1:3] == ["✓ pass", "The model can replace live 6-bbbbbbbb: it is better."]
    numbers = " ".join(texts(section(page, "Numbers")))
    assert "better by +7.242 USD 95% interval +3.621 to +10.86 at least −6.035 is required" in numbers


def test_flips_costs_and_changes_are_told_in_rounded_numbers_with_units() -> None:
    one = case("regression", Verdict.PASS)
    page = comparison_page(one.comparison, one.evidence)
    flips = section(page, "Rows that changed sides")
    assert "Of 1,200 rows, live had 61 right that the candidate has wrong; 143 are the other way round." in flips
    assert flips.count("<tr>") == 2 + 50
    assert "<summary>40 more</summary>" in flips
    assert " ".join(texts(section(page, "What it takes"))).endswith(
        "median 0.9877 ms 1.235 ms +25.0% model 987.7 kB 1.235 MB +25.0% memory 187 MB 187 MB the same"
    )
    assert "scikit-learn 1.9.0 1.9.1" in " ".join(texts(section(page, "What changed between the runs")))
    assert not re.search(r">[^<]*\d\.\d{8,}[^<]*<", page.partition("</style>")[2])


@pytest.mark.parametrize("answered", [True, False])
def test_the_first_model_s_page_says_that_nothing_is_live(answered: bool) -> None:
    one = case("classification", Verdict.PASS, first=True)
    page = comparison_page(one.comparison, one.evidence if answered else None)
    assert texts(page)[2] == "It is the first model: nothing is live to compare it with."
    assert "better by" not in page
    assert page.count("<svg") == (2 if answered else 0)


def test_records_of_before_the_statistics_still_give_good_pages() -> None:
    page = validation_page(Validation.from_json(json.dumps(OLD_VALIDATION)))
    assert texts(page)[2] == "The model stops here: 1 of 2 checks did not pass."
    assert "mean absolute error 3,011 bound ≤ 1000" in " ".join(texts(section(page, "Numbers")))
    page = comparison_page(Comparison.from_json(json.dumps(OLD_COMPARISON)))
    assert texts(page)[2] == "The model can replace live 6-bbbbbbbb: it is not worse by more than the margin."
    assert page.count("<svg") == 1
    assert "+0.75  [−0.25, +1.75]" in page


def test_the_page_of_a_model_that_did_not_answer_has_its_verdict_and_no_plots() -> None:
    asked = evidence("regression")
    check = Check(name="load", gate="load", verdict=Verdict.FAIL, expected="a model that answers", found="exit 137")
    silent = case("regression", Verdict.FAIL).validation.model_copy(
        update={"checks": (check,), "metrics": {}, "latency_ms": {}}
    )
    page = validation_page(silent, replace(asked, candidate=None))
    assert "expected a model that answers, found exit 137" in page
    assert "<svg" not in page
    assert "Numbers" not in page


def _odd(task: Task, kind: str) -> Evidence:
    found = evidence(task)
    rows = 1 if kind == "one row" else 40
    some = replace(
        found, rows=found.rows[:rows], actual=found.actual[:rows],
        candidate=(found.candidate or [])[:rows], live=(found.live or [])[:rows],
    )  # fmt: skip
    if kind == "one answer":
        return replace(some, candidate=[some.candidate[0]] * rows, live=[some.candidate[0]] * rows)  # type: ignore[index]
    return replace(some, actual=[some.actual[0]] * rows) if kind == "one target" else some


@pytest.mark.thorough
@pytest.mark.parametrize(("task", "kind"), list(product(TASKS, ("one row", "one answer", "one target"))))
def test_odd_answers_can_be_drawn(task: Task, kind: str) -> None:
    one, odd = case(task, Verdict.PASS), _odd(task, kind)
    for page in (
        validation_page(one.validation, replace(odd, live=None)),
        comparison_page(one.comparison, odd),
    ):
        assert "could not be drawn" not in page


def test_labels_of_any_script_are_drawn_though_the_font_that_measures_them_has_no_such_letters() -> None:
    found = evidence("classification")
    chinese = replace(found, actual=[f"中文 {one}" for one in found.actual])
    page = validation_page(case("classification", Verdict.PASS).validation, replace(chinese, live=None))
    assert ">中文 da → da</text>" in page


@pytest.mark.thorough
def test_very_many_rows_make_no_large_page() -> None:
    found = evidence("regression")
    many = replace(
        found, rows=[*found.rows] * 56, actual=[*found.actual] * 56,
        candidate=[*(found.candidate or ())] * 56, live=[*(found.live or ())] * 56,
    )  # fmt: skip
    one = case("regression", Verdict.PASS)
    sizes = [len(validation_page(one.validation, many)), len(comparison_page(one.comparison, many))]
    assert len(many.actual) > 67_000
    assert max(sizes) < 150_000


def test_a_plot_that_cannot_be_drawn_says_so_and_keeps_no_other_from_it() -> None:
    def broken() -> Plot:
        raise ZeroDivisionError("no rows")

    def whole() -> Plot:
        return Canvas(100).plot("Whole", "All of it.")

    plots = drawn([broken, lambda: None, whole])
    assert [one.title for one in plots] == ["A plot is missing", "Whole"]
    assert plots[0].caption == "It could not be drawn: ZeroDivisionError: no rows"


def test_each_color_of_the_plots_is_one_of_the_light_page_and_another_in_the_dark() -> None:
    style = (TEMPLATES / "style.css").read_text()
    light, dark = (dict(re.findall(r"--([a-z]+):(#[0-9a-f]+)", part)) for part in style.split("@media", 2)[:2])
    for name, color in COLORS.items():
        assert f".fill-{name}{{fill:var(--{name})}}.stroke-{name}{{stroke:var(--{name})}}" in style
        assert light[name] == color.replace("#fffffe", "#fff")
        assert dark[name] != light[name]


def test_the_roc_curve_is_that_of_scikit_learn() -> None:
    random = numpy.random.default_rng(0)
    truth, score = random.integers(0, 2, 500), random.random(500).round(2)
    hits, misses = ranked(truth, score)
    false, true, _ = metrics.roc_curve(truth, score, drop_intermediate=False)
    assert numpy.allclose(misses / misses[-1], false)
    assert numpy.allclose(hits / hits[-1], true)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (264.94837261, "264.9"), (1234567.891, "1,234,568"), (0.841234567, "0.8412"), (-6.035123, "−6.035"),
        (1.2345e-05, "1.2e-05"), (0.0, "0"), (1000.0, "1,000"), (3.01612e14, "3.016e+14"), (0.8, "0.8"),
    ],
)  # fmt: skip
def test_a_number_has_four_digits_that_count(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 100, "0.0%"), (1, 10_000, "< 0.1%"), (61, 1200, "5.1%"), (9999, 10_000, "99.9%"), (5, 5, "100.0%")],
)
def test_a_share_is_neither_none_nor_all_unless_it_is(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text


@pytest.mark.parametrize(
    "name", ["r2_score of cut Fair", "r2_score, cut Fair", "cut Fair: r2_score", "r2_score in cut Fair"]
)
def test_a_slice_is_named_without_the_metric_that_the_plot_names(name: str) -> None:
    assert slice_name(name, "r2_score") == "cut Fair"


def test_the_page_says_which_holdout_and_which_model_it_is_about() -> None:
    found = case("regression", Verdict.PASS).validation
    source = DataDigest(sha256="ab" * 32, rows=1, source="one row")
    told = texts(section(validation_page(found.model_copy(update={"holdout": source})), "What was judged"))
    assert told == [
        "hold-out", "1 row of one row", "SHA-256 of the hold-out", "ab" * 32, "digest of the model", found.candidate
    ]  # fmt: skip
    assert HOLDOUT.sha256 not in told

"""What monitor concludes of a window: by tests whose errors are shared, of moves that matter."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy
import pytest
from pydantic import ValidationError

from services.contract.errors import Refused
from services.contract.gates import Off
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.monitoring import SCORE, Drift, Monitoring
from services.contract.monitoring_rules import MonitoringRules
from services.contract.release import Column
from services.contract.verdict import Estimate
from services.delivery.monitoring.columns import MISSING, measured
from services.delivery.monitoring.gather import Wanted, gathered, prediction_of
from services.delivery.monitoring.judged import judged
from services.delivery.monitoring.labels import NoLabels, read_labels
from services.delivery.monitoring.live_metric import difference
from services.delivery.monitoring.monitoring import monitored
from services.delivery.monitoring.reference import Known
from services.delivery.monitoring.reservoir import Reservoir
from services.delivery.monitoring.traffic import TrafficCounter
from services.delivery.monitoring.window import Window
from services.delivery.statistics import drift, new_words
from tests.support.monitored import FIRST, Traffic, build_monitored, known_of, records, without_holdout, write_labels
from tests.support.paths import MODELS

RULES = MonitoringRules()
RANDOM = numpy.random.default_rng
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Known, str]:
    root = tmp_path_factory.mktemp("store")
    digest = build_monitored(root)
    return known_of(root, digest), digest


def seen(release: tuple[Known, str], traffic: Traffic, labels: Any = None) -> Monitoring:
    known, digest = release
    wanted = Wanted(digest, Window(), ("carat", "cut", "grade"), labels or NoLabels())
    return monitored(known, digest, gathered(records(digest, traffic), wanted))


def verdicts(found: Monitoring) -> dict[str, Drift]:
    return {one.name: one.verdict for one in found.judged}


def test_the_index_of_two_shares_is_what_siddiqi_s_formula_gives() -> None:
    found = drift.index(numpy.array([100, 300]), numpy.array([200, 200]), 0.95)
    assert found.value == pytest.approx(0.25 * numpy.log(2) + 0.25 * numpy.log(1.5))
    # One degree of freedom, times 1/400 + 1/400.
    assert found.by_chance == pytest.approx(0.005)
    assert found.limit == pytest.approx(3.841 * 0.005, rel=1e-3)


def test_chance_alone_makes_of_the_index_what_is_said_of_it() -> None:
    random, found = RANDOM(1), []
    for _ in range(600):
        before = random.normal(size=2000)
        edges = drift.edges_of(before)
        found.append(drift.index(drift.binned(before, edges), drift.binned(random.normal(size=500), edges), 0.95))
    beyond = sum(one.value > one.limit for one in found)
    assert 0.03 * len(found) < beyond < 0.07 * len(found)
    assert numpy.mean([one.value for one in found]) == pytest.approx(found[0].by_chance, rel=0.05)


def test_a_bin_reaches_up_to_a_value_that_a_row_has_and_the_last_one_beyond() -> None:
    edges = drift.edges_of(numpy.array([0.0] * 5 + [1.0] * 5))
    assert drift.binned(numpy.array([-1.0, 0, 0.5, 1, 2]), edges).tolist() == [2, 2, 1]


def test_words_with_few_rows_are_one_bin_on_both_sides() -> None:
    names, before, now = drift.pooled(Counter(a=80, b=18, c=2), Counter(a=50, b=45, d=5))
    assert (names, before.tolist(), now.tolist()) == (["a", "b", drift.OTHERS], [80, 18, 2], [50, 45, 5])


def test_a_lady_who_tastes_three_of_four_cups_is_not_sure() -> None:
    """Fisher, The Design of Experiments (1935)."""
    assert drift.share_moved(3, 4, 1, 4).p_value == pytest.approx(0.4857, abs=1e-4)


def test_rare_words_come_new_by_chance_and_many_rows_of_one_new_word_do_not() -> None:
    long_tail = [Counter(f"kind {one}" for one in RANDOM(seed).zipf(1.5, rows)) for seed, rows in ((1, 3000), (2, 800))]
    by_chance = drift.unseen(*long_tail)
    assert by_chance.statistic > 0.03
    assert by_chance.p_value > 0.05
    planted = drift.unseen(Counter(red=3000), Counter(red=720, violet=80))
    assert planted.size == pytest.approx(0.1)
    assert planted.p_value == pytest.approx(1 / 20_000)


def test_texts_of_the_same_kind_have_no_more_new_words_than_the_other_half_of_the_hold_out() -> None:
    random = RANDOM(3)

    def texts(rows: int) -> list[str]:
        return [
            " ".join(f"w{chr(97 + one % 26)}{'x' * (one // 26)}" for one in random.zipf(1.3, 8) % 900)
            for _ in range(rows)
        ]

    learnt, held_out = new_words.halves(texts(600))
    known = new_words.vocabulary(learnt)
    here = new_words.new_shares(held_out, known)
    assert numpy.mean(here) > 0.01
    assert drift.more(here, new_words.new_shares(texts(600), known)).p_value > 0.05
    foreign = [f"{text} ganz andere Wörter" for text in texts(600)]
    assert drift.more(here, new_words.new_shares(foreign, known)).size > 0.2


def test_letters_are_the_words_of_scripts_without_spaces() -> None:
    assert new_words.words_of("Hello, 2 welten 日本") == ["hello", "welten", "日", "本"]


def looked_at(kind: str, before: Sequence[Any], now: Sequence[Any], rules: MonitoringRules = RULES) -> Any:
    (found,) = judged([measured(Column(name="x", type=kind, required=False), before, now, rules)], rules)
    return found


def test_a_move_that_is_sure_and_small_is_no_drift() -> None:
    random = RANDOM(4)
    found = looked_at("double", random.normal(size=20_000).tolist(), random.normal(0.1, 1, 20_000).tolist())
    assert found.tests[-1].adjusted_p_value < 1e-9
    assert (found.verdict, found.words) == (Drift.STABLE, "")
    far = looked_at("double", random.normal(size=20_000).tolist(), random.normal(0.5, 1, 20_000).tolist())
    assert (far.verdict, far.words.partition(" index")[0]) == (Drift.DRIFTED, "values by a stability")


def test_a_large_move_that_chance_may_have_made_is_no_drift() -> None:
    rules = MonitoringRules(min_rows=100)
    found = looked_at("double", range(100), range(20, 120), rules)
    assert 0.05 < found.tests[-1].adjusted_p_value < 0.1
    assert found.tests[-1].size > rules.psi
    assert found.verdict is Drift.STABLE


def test_values_that_are_missing_more_often_drift_and_are_left_out_of_all_else() -> None:
    random = RANDOM(5)
    now = [None if place % 4 == 0 else one for place, one in enumerate(random.normal(size=2000).tolist())]
    found = looked_at("double", random.normal(size=2000).tolist(), now)
    assert [test.what for test in found.tests if test.drifted] == [MISSING]
    assert (found.missing_now, found.rows_now) == (0.25, 1500)


def test_a_column_with_too_few_values_is_not_judged() -> None:
    found = looked_at("long", [1] * 2000, [2] * 499)
    assert (found.verdict, found.psi) == (Drift.TOO_FEW, None)


def test_moments_and_columns_that_are_off_are_shown_with_a_reason_and_take_no_share_of_the_errors() -> None:
    days, later = ["2013-01-01T00:00:00Z"] * 600, ["2026-01-01T00:00:00Z"] * 600
    rules = MonitoringRules(off={"id": Off(reason="it counts up")})
    columns = [
        measured(Column(name="day", type="datetime"), days, later, rules),
        measured(Column(name="id", type="long"), range(600), range(600, 1200), rules),
        measured(Column(name="x", type="boolean"), [True, False] * 300, [True, False, False] * 200, rules),
    ]
    day, number, x = judged(columns, rules)
    assert (day.off, number.off, x.off) == ("a moment moves by itself", "it counts up", None)
    assert day.verdict is Drift.DRIFTED
    # Two tests of the one column that counts.
    assert x.tests[0].adjusted_p_value == pytest.approx(2 * x.tests[0].p_value)


def test_a_truth_value_is_one_whether_it_is_logged_as_a_number_or_not() -> None:
    found = looked_at("boolean", [True, False, False] * 300, [1.0, 0.0, 0] * 300)
    assert (found.verdict, found.unseen, {one.name for one in found.bins}) == (Drift.STABLE, 0.0, {"True", "False"})


def test_production_like_the_hold_out_is_stable(release: tuple[Known, str]) -> None:
    found = seen(release, Traffic())
    assert (found.verdict, set(verdicts(found).values())) == (Drift.STABLE, {Drift.STABLE})
    assert (found.rows, found.reference.rows, found.traffic.by_status) == (891, 800, {"200": 891, "422": 9})


def test_what_was_planted_is_found_by_its_column(release: tuple[Known, str]) -> None:
    found = verdicts(seen(release, Traffic(carat_times=1.5, new_cuts=0.2)))
    assert found == {
        SCORE: Drift.DRIFTED, "carat": Drift.DRIFTED, "cut": Drift.DRIFTED, "grade": Drift.STABLE,
    }  # fmt: skip


def test_few_rows_say_nothing_whatever_they_look_like(release: tuple[Known, str]) -> None:
    found = seen(release, Traffic(requests=300, carat_times=5))
    assert (found.verdict, set(verdicts(found).values())) == (Drift.TOO_FEW, {Drift.TOO_FEW})


def test_a_log_of_digests_is_judged_by_its_answers(release: tuple[Known, str]) -> None:
    found = seen(release, Traffic(carat_times=1.5, digests_only=True))
    assert verdicts(found) == {SCORE: Drift.DRIFTED}
    assert "inputs are not compared, because the log keeps digests in their place" in found.notes


def test_without_the_hold_out_answers_are_held_against_those_that_the_release_records(
    release: tuple[Known, str],
) -> None:
    known, digest = without_holdout(release[0]), release[1]
    for traffic, verdict in ((Traffic(), Drift.STABLE), (Traffic(carat_times=1.5), Drift.DRIFTED)):
        found = seen((known, digest), traffic)
        assert (verdicts(found), found.reference.kind) == ({SCORE: verdict}, "recorded answers")
        assert found.notes == known.notes


def test_a_probe_that_asks_the_same_row_again_and_again_is_named(release: tuple[Known, str]) -> None:
    known, digest = release
    every = list(records(digest, Traffic()))
    every += [one.model_copy(update={"inputs": [[0.5, "Ideal", 1]]}) for one in every[:98]]
    found = monitored(known, digest, gathered(every, Wanted(digest, Window(), ("carat", "cut", "grade"))))
    assert "10% of the rows are one and the same, which may be a probe: 0.5, Ideal, 1" in found.notes


def test_the_metric_of_labels_that_came_later_is_as_promised_or_worse(
    release: tuple[Known, str], tmp_path: Path
) -> None:
    for traffic, verdict in ((Traffic(), Drift.TOO_FEW), (Traffic(answers_off_by=150), Drift.DRIFTED)):
        labels = read_labels(write_labels(tmp_path / "labels.csv", traffic), "regression", "price", None, ())
        found = seen(release, traffic, labels)
        assert found.metric
        assert (found.metric.verdict, found.verdict) == (verdict, verdict)
        # The nine of requests that were refused.
        assert (found.metric.live.rows, found.metric.unmatched) == (891, 9)
        assert found.metric.promised.value == pytest.approx(80, abs=8)


def test_the_interval_of_a_difference_is_that_of_two_independent_estimates() -> None:
    """Zou and Donner (2008), equation 7; an error is better when it is smaller."""
    promised, live = (
        Estimate(metric="m", value=value, low=low, high=high, confidence=0.95, rows=100)
        for value, low, high in ((10.0, 7.0, 14.0), (20.0, 17.0, 24.0))
    )
    assert difference(promised, live, better_above=True) == (10.0, 10 - 5, 10 + 5)
    assert difference(promised, live, better_above=False) == (-10.0, -15.0, -5.0)


def test_a_log_is_read_by_release_and_window_and_its_columns_by_their_names(release: tuple[Known, str]) -> None:
    digest = release[1]
    every = [one.model_copy(update={"columns": ("grade", "carat", "cut")}) for one in records(digest)]
    every += [one.model_copy(update={"release": "f" * 64}) for one in every[:5]]
    window = Window(FIRST + timedelta(seconds=20), FIRST + timedelta(seconds=60))
    found = gathered(every, Wanted(digest, window, ("carat", "cut", "grade", "table")))
    first, _ = (one.inputs[0] for one in every[1:3] if one.inputs)
    assert (found.traffic.requests, found.others) == (2, 2)
    assert found.rows is not None
    assert found.rows[0] == [first[1], first[2], first[0], None]


def test_an_answer_of_another_form_is_left_out_with_its_row() -> None:
    assert [prediction_of(one) for one in (True, None, [0.2, 0.8], {"a": 0.5})] == [None] * 4
    assert prediction_of(3) == 3.0


def test_a_reservoir_keeps_each_of_a_stream_as_likely() -> None:
    kept: Counter[int] = Counter()
    one = Reservoir[int](400)
    for item in range(4000):
        one.offer(item)
    kept.update(item // 1000 for item in one.kept)
    assert (one.seen, len(one.kept)) == (4000, 400)
    assert all(60 < kept[quarter] < 140 for quarter in range(4))


def test_requests_are_counted_in_spans_of_a_usual_length() -> None:
    counter = TrafficCounter()
    for hour in range(72):
        counter.count(FIRST + timedelta(hours=hour), 200 if hour % 9 else 503, 2, 0.004)
    found = counter.found()
    assert {(one.at - FIRST).total_seconds() % 7200 for one in found.volume} == {0.0}
    assert (len(found.volume), sum(one.errors for one in found.volume), found.rows) == (36, 8, 144)
    assert found.latency_ms["0.99"] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("2026-11-27", "2026-11-28T06:00+02:00", None), ("2026-11-27T00:00", "2026-11-28T04:00")),
        ((None, None, "36h"), ("2026-11-27T00:00", "2026-11-28T12:00")),
    ],
)
def test_a_window_is_given_by_its_ends_or_by_its_length(options: tuple[Any, ...], expected: tuple[str, str]) -> None:
    since, until, last = options
    found = Window.of(since, until, last, NOW)
    assert tuple(f"{at:%Y-%m-%dT%H:%M}" for at in (found.since, found.until) if at) == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((None, None, "yesterday"), "--last: expected a number and m, h, d or w, such as 24h, found 'yesterday'"),
        (("then", None, None), "--since: expected a time such as"),
        (("2026-11-28", "2026-11-27", None), "expected --since before --until"),
        (("2026-11-28", None, "1h"), "expected --last, or --since and --until, found both"),
    ],
)
def test_what_is_no_window_is_refused(options: tuple[Any, ...], said: str) -> None:
    since, until, last = options
    with pytest.raises(Refused, match=said):
        Window.of(since, until, last, NOW)


def test_labels_are_found_by_request_and_row_or_by_a_column_and_only_once(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("request_id,row,late\na,0,1\na,1,0\nb,0,\n")
    found = read_labels(file, "binary-classification", "late", None, ())
    assert (list(found.of("a", 1, None)), list(found.of("a", 1, None)), list(found.of("b", 0, None))) == ([0], [], [])
    assert found.unmatched == 1
    file.write_text("order,label\n7,de\n")
    by_key = read_labels(file, "classification", "language", "order", ("text", "order"))
    assert list(by_key.of("x", 0, ["Guten Tag", 7])) == ["de"]


def test_labels_of_parquet_are_those_of_csv(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"request_id": ["a", "b"], "row": [0, 3], "late": [True, None]})
    parquet.write_table(table, tmp_path / "labels.parquet")
    found = read_labels(tmp_path / "labels.parquet", "binary-classification", "late", None, ())
    assert (list(found.of("a", 0, None)), found.unmatched) == ([1], 0)


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        ("request_id,row\n", "", None),
        ("request_id,row\na,0\n", "", "expected columns request_id, row, price or label; missing: label"),
        ("request_id,price\na,much\n", "", "labels.csv:2: expected a row and a label as 'price' has it"),
        ("request_id,price\na,nan\n", "", "labels.csv:2: expected a row and a label"),
        ("order,price\n", "order", "--key: expected one of the model's columns carat, cut, found 'order'"),
    ],
)
def test_labels_that_are_none_are_refused_by_line(tmp_path: Path, content: str, key: str, said: str | None) -> None:
    (file := tmp_path / "labels.csv").write_text(content)
    if said is None:
        assert read_labels(file, "regression", "price", None, ()).unmatched == 0
        return
    with pytest.raises(Refused, match=said):
        read_labels(file, "regression", "price", key or None, ("carat", "cut"))


def test_a_column_that_is_off_must_be_one_of_the_model_s() -> None:
    declared = load_model_config(MODELS, "diamond-price").model_dump(mode="json")
    off = {"weight": {"reason": "it counts up"}}
    with pytest.raises(ValidationError, match=r"monitoring\.off\.weight: expected one of carat, cut,"):
        ModelConfig.model_validate({**declared, "monitoring": {"off": off}})

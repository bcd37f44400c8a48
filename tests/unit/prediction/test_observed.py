"""Every answer has the id of its request, and is counted; the figures of all workers are one."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Receive, Scope, Send

from services.contract.control_protocol import Workers, workers_file
from services.prediction.observed.exposition import exposition
from services.prediction.observed.figures import BINS, Figures, bin_of
from services.prediction.observed.identity import identity_of
from services.prediction.observed.layer import Observed
from services.prediction.observed.observer import Observer
from services.prediction.observed.settings import ObservedSettings
from services.prediction.observed.siblings import Alone, Siblings, join
from services.prediction.observed.whole import Whole
from services.rollout.analysis.figures import Seen
from tests.support.observed_release import DIGEST, answering, ask, id_of, observed_release

RELEASE = observed_release()


def observed(app: ASGIApp) -> tuple[Observed, Alone]:
    group = Alone()
    return Observed(app, group.own), group


def samples(group: Alone | Siblings) -> dict[str, float]:
    """By name and label, as Prometheus reads them."""
    return dict(_samples(exposition(group.total(), identity_of(RELEASE)).decode()))


def _samples(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            label = ",".join(sample.labels.values())
            yield f"{sample.name}{{{label}}}" if label else sample.name, sample.value


@pytest.mark.parametrize("theirs", ["a", "0af7651916cd43dd8448eb211c80319c", "order/7+2=9@x.y:1~_-", "x" * 128])
def test_a_client_gets_its_own_request_id_back(theirs: str) -> None:
    app, _ = observed(answering())
    assert id_of(asyncio.run(ask(app, [(b"x-request-id", theirs.encode())]))) == theirs


@pytest.mark.parametrize("theirs", [b"", b"x" * 129, b"a b", b"a\nb", b'"', b"\xff", b"a;b", b"{}"])
def test_a_request_id_that_is_not_safe_to_write_down_is_replaced(theirs: bytes) -> None:
    app, _ = observed(answering())
    assert id_of(asyncio.run(ask(app, [(b"x-request-id", theirs)]))).endswith("-1")


def test_two_requests_and_two_processes_never_get_the_same_id() -> None:
    given = {id_of(asyncio.run(ask(app))) for app in [observed(answering())[0] for _ in range(5)] for _ in range(5)}
    assert len(given) == 25


def test_what_is_answered_keeps_its_own_headers_which_are_not_changed() -> None:
    headers = [(b"content-type", b"text/plain")]

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    sent = asyncio.run(ask(observed(app)[0]))
    assert sent[0]["headers"][0] == headers[0]
    assert len(headers) == 1


def test_an_error_of_the_service_is_answered_with_the_id_under_which_its_log_has_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise RuntimeError("planted")

    layer, group = observed(app)
    sent = asyncio.run(ask(layer, [(b"x-request-id", b"r-1")]))
    assert (sent[0]["status"], id_of(sent)) == (500, "r-1")
    assert b"r-1" in sent[1]["body"]
    assert b"planted" not in sent[1]["body"]
    assert "request r-1 failed" in caplog.text
    assert samples(group)["trackback_requests_total{500}"] == 1


def test_a_client_that_leaves_before_its_answer_is_counted_as_gone() -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        await asyncio.Event().wait()

    async def leave(layer: Observed) -> None:
        task = asyncio.create_task(ask(layer))
        await asyncio.sleep(0)
        assert samples(group)["trackback_requests_in_flight"] == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    layer, group = observed(app)
    asyncio.run(leave(layer))
    assert samples(group)["trackback_requests_total{499}"] == 1
    assert samples(group)["trackback_requests_in_flight"] == 0


def test_requests_rows_and_batches_are_counted_and_questions_about_the_service_are_not() -> None:
    async def scenario() -> None:
        await ask(layer)
        await ask(layer)
        await ask(layer, method="GET", path="/health/ready")

    layer, group = observed(answering(rows=[[1], [2], [3]]))
    asyncio.run(scenario())
    found = samples(group)
    assert found["trackback_requests_total{200}"] == 2
    assert found["trackback_rows_total"] == 6
    assert found["trackback_request_seconds_count"] == 2
    assert (found["trackback_batch_rows_bucket{2}"], found["trackback_batch_rows_bucket{4}"]) == (0, 2)
    assert (found["trackback_batch_rows_sum"], found["trackback_batch_rows_count"]) == (6, 2)
    assert found[f"trackback_release_info{{diamond-price,{DIGEST},1-aaaaaaaa}}"] == 1


@pytest.mark.parametrize(("seconds", "bucket"), [(0.001, "0.001"), (0.0011, "0.0014"), (11.0, "+Inf")])
def test_a_duration_falls_into_the_bucket_that_ends_at_or_above_it(seconds: float, bucket: str) -> None:
    group = Alone()
    group.own.begin()
    group.own.end(200, seconds, 0, 0)
    found = [name for name, value in samples(group).items() if name.startswith("trackback_request_seconds_b") and value]
    assert found[0] == f"trackback_request_seconds_bucket{{{bucket}}}"
    assert samples(group)["trackback_request_seconds_sum"] == seconds
    assert samples(group)["trackback_batch_rows_count"] == 0


def test_an_answer_to_the_same_row_again_is_counted_among_the_answers_once() -> None:
    group = Alone()
    for row in (7, 7, 8, 7 + 4096, 7):
        group.own.begin()
        group.own.end(200, 0.001, 1, 1, first=1.5, row=row)
    found = samples(group)
    assert found["trackback_requests_total{200}"] == 5
    # One that has the place of another is known no more.
    assert sum(value for name, value in found.items() if name.startswith("trackback_answers_total")) == 4


def answer_one(figures: Figures) -> None:
    figures.begin()
    figures.end(200, 0.002, 1, 1)


def test_whoever_is_asked_tells_the_sum_over_all_workers(tmp_path: Path) -> None:
    workers = [Siblings(tmp_path) for _ in range(3)]
    for worker in workers:
        answer_one(worker.own)
        worker.own.begin()
    assert [samples(worker)["trackback_requests_total{200}"] for worker in workers] == [3, 3, 3]
    assert samples(workers[1])["trackback_requests_in_flight"] == 3


def test_no_counter_goes_back_when_a_worker_ends_and_the_next_one_goes_on_in_its_file(tmp_path: Path) -> None:
    stays, ends = Siblings(tmp_path), Siblings(tmp_path)
    answer_one(ends.own)
    ends.own.begin()
    ends.leave()
    assert samples(stays)["trackback_requests_total{200}"] == 1
    assert samples(stays)["trackback_requests_in_flight"] == 0
    follows = Siblings(tmp_path)
    answer_one(follows.own)
    assert samples(stays)["trackback_requests_total{200}"] == 2
    assert samples(stays)["trackback_requests_in_flight"] == 0
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("known", [True, False])
def test_a_container_tells_of_all_its_processes_what_its_parent_and_the_kernel_say(tmp_path: Path, known: bool) -> None:
    control = tmp_path / "control"
    if known:
        Workers(wanted=2, ended=3).write(workers_file(control))
    told = Seen.parse(Observer(RELEASE, ObservedSettings(control=control)).metrics().decode())
    own = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert (told.restarts, told.resident_bytes >= own // 2) == ((3, True) if known else (0, False))


def test_the_memory_of_a_container_is_that_of_its_processes_as_far_as_they_live(tmp_path: Path) -> None:
    control = tmp_path / "control"
    Workers(wanted=1).write(workers_file(control))
    for number, pages in (("1", 10), ("17", 5)):
        (tmp_path / number).mkdir()
        (tmp_path / number / "statm").write_text(f"99 {pages} 1 1 0 1 0\n")
    (tmp_path / "23").mkdir()
    assert Whole.of(control, tmp_path) == (0, 15 * os.sysconf("SC_PAGESIZE"))


def test_a_worker_whose_figures_have_no_place_answers_and_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    group = join(tmp_path / "file")
    answer_one(group.own)
    assert group.total()[200] == 1
    assert "this worker's figures are its own alone" in caplog.text


def test_an_answer_costs_the_layer_few_calls_when_nothing_but_figures_is_asked_for() -> None:
    app, calls = Observer(RELEASE).around(answering(rows=[[1]])), 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    async def scenario() -> int:
        await ask(app)
        before = calls
        sys.setprofile(count)
        await ask(app)
        sys.setprofile(None)
        return calls - before

    assert asyncio.run(scenario()) <= 30


def test_neighbouring_answers_fall_into_neighbouring_bins_and_labels_into_their_own() -> None:
    places = [bin_of(float(price)) for price in (300, 310, 330, 350)]
    assert places == [34, 35, 36, 37]
    assert bin_of(280.0) != bin_of(300.0) and bin_of(-300.0) == 34 + BINS // 2
    assert bin_of({"label": "de", "probability": 0.4}) == bin_of({"label": "de", "probability": 0.9})
    assert bin_of({"label": "de"}) != bin_of({"label": "fr"})
    assert bin_of([1.0]) is None


def test_probabilities_near_one_are_told_apart_as_those_near_zero_are() -> None:
    chances = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0)
    assert len({bin_of({"probability": chance}) for chance in chances}) == len(chances)

"""What a poll of the real plugin costs on a real MLflow with 20,000 runs, and how that is measured."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks.counting_proxy import CountingProxy, Traffic
from benchmarks.large_mlflow import METRICS, PARAMS, TAGS, Experiment
from benchmarks.poll_cost import Cost, Limits, PollBenchmark, broken_limits, poll_benchmark, report
from scripts.environments import JARS, ROOT
from services.contract.errors import Refused

RUNS, POLLS = 20_000, 15


@pytest.fixture(scope="module")
def jars() -> tuple[str, ...]:
    missing = [jar for jar in JARS if not (ROOT / jar).is_file()]
    refuse = pytest.fail if "CI" in os.environ else pytest.skip
    if missing:
        refuse(f"not built: {', '.join(missing)}: run 'mvn -B package' in plugin/")
    return JARS


@pytest.fixture(scope="module")
def benchmark(jars: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[PollBenchmark]:
    assert jars
    with poll_benchmark(tmp_path_factory.mktemp("many-runs"), RUNS) as found:
        yield found


@pytest.fixture(scope="module")
def three(benchmark: PollBenchmark) -> PollBenchmark:
    """The same server and plugin, with an experiment of three runs."""
    experiment = Experiment.create(benchmark.experiment.rest, "three")
    runs = [experiment.log_run(name) for name in ("a", "b", "c")]
    return replace(benchmark, experiment=experiment, run=runs[1])


def search(experiment: Experiment, offset: int) -> dict[str, Any]:
    token = base64.b64encode(json.dumps({"offset": offset}).encode()).decode()
    return experiment.rest.post("runs/search", experiment_ids=[experiment.id], max_results=10, page_token=token)


def test_a_poll_among_20000_runs_costs_at_most_3_requests_and_16_kb_and_100_ms_of_cpu(benchmark: PollBenchmark) -> None:
    polls = list(benchmark.polls(POLLS))
    assert [(poll.what, len(poll.milliseconds)) for poll in polls] == [
        ("first poll", POLLS),
        ("quiet poll", POLLS),
        ("poll with a promotion", POLLS),
    ]
    assert list(broken_limits(polls, Limits(3, 16_000, 100))) == []
    assert min(poll.traffic.requests for poll in polls) >= 2
    assert min(poll.traffic.received for poll in polls) > 1_000
    assert sum(poll.processor for poll in polls) > 0


@pytest.mark.usefixtures("jars")
def test_a_poll_with_a_history_costs_at_most_8_kb_and_5_ms_of_cpu_more_of_each_delivered_run(tmp_path: Path) -> None:
    with poll_benchmark(tmp_path, 301, delivered=300) as history:
        polls = list(history.polls(3))
    assert list(broken_limits(polls, Limits().with_history(300))) == []
    assert min(poll.traffic.received for poll in polls) > 300 * 6_000
    assert [poll.traffic.requests for poll in polls] == [4, 3, 4]


def test_the_copied_runs_are_20000_whole_runs_to_mlflow_itself(benchmark: PollBenchmark) -> None:
    page = search(benchmark.experiment, RUNS - 10)
    assert "next_page_token" not in page
    ids = {run["info"]["run_id"] for run in page["runs"]}
    models = {run["outputs"]["model_outputs"][0]["model_id"] for run in page["runs"]}
    assert (len(ids), len(models)) == (10, 10)
    for run in page["runs"]:
        logged = [len(run["data"][kind]) for kind in ("tags", "params", "metrics")]
        assert logged == [TAGS, PARAMS, METRICS] == [8, 10, 10]
        assert run["info"]["run_id"] in run["info"]["artifact_uri"]


def test_a_poll_without_a_promotion_is_no_measurement(benchmark: PollBenchmark) -> None:
    nobody = Experiment.create(benchmark.experiment.rest, "nobody")
    with pytest.raises(Refused, match="expected revision '1-…' of the plugin, found 500: nothing promoted"):
        next(replace(benchmark, experiment=nobody).polls(1))


def test_a_quiet_poll_that_reports_or_fails_is_no_measurement(benchmark: PollBenchmark) -> None:
    restless = Experiment.create(benchmark.experiment.rest, "restless")
    measured = replace(benchmark, experiment=restless, run=restless.log_run("again"))
    polls = measured.polls(1)
    next(polls)
    restless.promote(measured.run, 7)
    with pytest.raises(Refused, match="expected revision '…' of the plugin, found 200: .*2-"):
        next(polls)
    polls = measured.polls(1)
    next(polls)
    restless.rest.post("experiments/delete", experiment_id=restless.id)
    with pytest.raises(Refused, match="expected revision '…' of the plugin, found 500"):
        next(polls)


def test_the_table_shows_polls_and_limits_and_what_2018_cost(
    three: PollBenchmark, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(three, 2, Limits(milliseconds=30_000)) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [
        "requests",
        "first poll",
        "quiet poll",
        "poll with a promotion",
        "all runs, as in 2018",
        "limit of a poll",
    ]
    assert all(line.strip().startswith(start) for line, start in zip(lines, starts, strict=False))
    assert lines[-1].startswith("the largest poll costs 1/")


def test_a_broken_limit_is_one_line_and_a_failure(three: PollBenchmark, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(three, 1, Limits(requests=0, milliseconds=30_000)) == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("expected")]
    assert len(told) == 3
    assert told[1].startswith("expected a quiet poll to cost at most 0 requests, found ")


def test_each_limit_is_told_with_what_was_found() -> None:
    poll = Cost("quiet poll", Traffic(4, 16_001), (90.0, 120.0, 9000.0), processor=120.0)
    assert list(broken_limits([poll], Limits())) == [
        "expected a quiet poll to cost at most 3 requests, found 4",
        "expected a quiet poll to cost at most 16,000 bytes, found 16,001",
        "expected a quiet poll to cost at most 100 ms of CPU, found 120.0",
    ]
    assert list(broken_limits([replace(poll, processor=99.0)], Limits(4, 16_001))) == [], "no limit by the clock"


def test_everything_is_fetched_page_by_page(three: PollBenchmark) -> None:
    assert three.everything(page=2).traffic.requests == 2
    assert three.everything(page=3).traffic.requests == 1


class Echo(BaseHTTPRequestHandler):
    """Answers with the body that it is sent, on a connection that stays open, and counts what it writes."""

    protocol_version = "HTTP/1.1"
    written: list[int] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.written.append(len(head + body))
        self.wfile.write(head + body)

    def log_message(self, *_: object) -> None:
        pass


def test_the_proxy_counts_requests_and_every_byte_of_the_answers_on_one_connection() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with CountingProxy(server.server_port) as proxy, closing(connection(proxy)) as client:
            for body in (b"x" * 100_000, b"a\r\n\r\nGET / HTTP/1.1\r\n\r\n", b""):
                client.request("POST", "/", body, {"Content-Length": str(len(body))})
                assert client.getresponse().read() == body
            assert proxy.traffic == Traffic(requests=3, received=sum(Echo.written))
        server.shutdown()


def connection(proxy: CountingProxy) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", proxy.server_address[1], timeout=10)

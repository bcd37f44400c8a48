"""`benchmarks/poll-cost`: measures one poll of the plugin on an MLflow with many runs of which one is promoted."""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.counting_proxy import CountingProxy, Traffic
from benchmarks.large_mlflow import Experiment, copy_run, number_promotions, running
from benchmarks.mlflow_rest import MlflowRest
from scripts.environments import JARS, ROOT, say
from services.contract.errors import Refused
from services.embedded.plugin.interface import PluginFailed
from services.embedded.plugin.plugin_host import PluginHost, find_java
from services.platform.supervisor import unwind_on_signals

# The plugin's `max_results`.
RUNS_PER_ANSWER = 200


@dataclass(frozen=True)
class Limits:
    """What one poll may cost: requests, bytes of the answers with their headers, and milliseconds of processor time of
    MLflow and the plugin. Time by the clock has no limit, because it depends on what else the machine does."""

    requests: int = 3
    received: int = 16_000
    milliseconds: float = 100

    def with_history(self, delivered: int) -> "Limits":
        """Adds the cost of runs that keep their tag after delivery: MLflow sends each of them again at every poll."""
        more = delivered // RUNS_PER_ANSWER
        return Limits(self.requests + more, self.received + 8_000 * delivered, self.milliseconds + 5 * delivered)


@dataclass(frozen=True)
class Cost:
    """Of one kind of poll: the largest traffic of one, the milliseconds of each by the clock, and the mean of their
    processor time in milliseconds."""

    what: str
    traffic: Traffic
    milliseconds: tuple[float, ...]
    processor: float

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)


@dataclass(frozen=True)
class PollBenchmark:
    """An experiment with many runs, the one of them that is promoted, and the plugin, which polls through a proxy.

    `mlflow` is a process id, `delivered` the number of runs that were delivered before.
    """

    experiment: Experiment
    run: str
    proxy: CountingProxy
    host: PluginHost
    mlflow: int
    delivered: int = 0

    def polls(self, times: int) -> Iterator[Cost]:
        """The cost of each kind of poll. Raises Refused when a poll reports anything but what is new."""
        self.experiment.promote(self.run, self.delivered + 1)
        promoted = self._poll(None, "1-")
        yield self._cost("first poll", times, lambda: self._poll(None, "1-"))
        yield self._cost("quiet poll", times, lambda: self._poll(promoted, ""))
        self.experiment.promote(self.run, self.delivered + 2)
        yield self._cost("poll with a promotion", times, lambda: self._poll(promoted, "2-"))

    def everything(self, page: int = 1000) -> Cost:
        """The cost of fetching all runs with all that was logged, which the plugin of 2018 did at every poll."""
        proxied = replace(self.experiment, rest=MlflowRest(self.proxy.url))
        return self._cost("all runs, as in 2018", 1, lambda: _count(proxied.all_runs(page)))

    def _cost(self, what: str, times: int, ask: Callable[[], object]) -> Cost:
        say(f"{what}, {times} times" if times > 1 else what)
        traffics, milliseconds, processor = [], [], self._processor_seconds()
        for _ in range(times):
            before, began = self.proxy.traffic, time.perf_counter()
            ask()
            milliseconds.append(1000 * (time.perf_counter() - began))
            traffics.append(self.proxy.traffic - before)
        largest = Traffic(max(one.requests for one in traffics), max(one.received for one in traffics))
        spent = 1000 * (self._processor_seconds() - processor) / times
        return Cost(what, largest, tuple(milliseconds), spent)

    def _processor_seconds(self) -> float:
        """Processor seconds of MLflow's processes and the plugin's JVM since their start, to a hundredth."""
        servers = psutil.Process(self.mlflow)
        family = [servers, *servers.children(recursive=True), psutil.Process(self.host.pid)]
        times = [process.cpu_times() for process in family]
        return sum(one.user + one.system for one in times)

    def _poll(self, previous: dict[str, Any] | None, expected: str) -> dict[str, Any]:
        """The plugin's answer. Raises Refused unless its revision begins with `expected`; an empty one means none."""
        message = {
            "repository-configuration": {"MLFLOW_URL": {"value": self.proxy.url}},
            "package-configuration": {"EXPERIMENT": {"value": self.experiment.name}},
            "previous-revision": previous,
        }
        reply = self.host.call("latest-revision-since" if previous else "latest-revision", json.dumps(message))
        revision: dict[str, Any] = json.loads(reply.body or "{}") if reply.code == 200 else {}
        found = revision.get("revision", "")
        if reply.code != 200 or not found.startswith(expected) or bool(found) != bool(expected):
            raise Refused(f"expected revision '{expected}…' of the plugin, found {reply.code}: {reply.body}")
        return revision


def _count(pages: Iterable[Sequence[object]]) -> None:
    fetched = 0
    for page in pages:
        fetched += len(page)
        say(f"fetched {fetched:,} runs")


@contextmanager
def poll_benchmark(folder: Path, runs: int, delivered: int = 0) -> Iterator[PollBenchmark]:
    """Starts MLflow with `runs` runs, `delivered` of them delivered before, and the plugin in its JVM."""
    plugin_jar, host_jar = (ROOT / jar for jar in JARS)
    plugin = PluginHost(find_java(os.environ), host_jar, plugin_jar, folder / "plugin")
    say("starting MLflow on sqlite")
    with plugin as host, running(folder) as server, CountingProxy(server.port) as proxy:
        experiment = Experiment.create(MlflowRest(server.url), "many-runs")
        run = experiment.log_run("the one")
        say(f"filling its database with {runs:,} runs")
        copy_run(server, run, runs - delivered - 1)
        if delivered:
            old = experiment.log_run("delivered")
            experiment.deliver(old)
            copy_run(server, old, delivered - 1)
            number_promotions(server, experiment.id)
        say(f"plugin {host.plugin.version} is loaded")
        yield PollBenchmark(experiment, run, proxy, host, server.pid, delivered)


def broken_limits(polls: Iterable[Cost], limits: Limits) -> Iterator[str]:
    """One line for each limit that a poll breaks."""
    for poll in polls:
        found = (poll.traffic.requests, poll.traffic.received, poll.processor)
        for cost, limit, unit in zip(found, astuple(limits), ("requests", "bytes", "ms of CPU"), strict=True):
            if cost > limit:
                yield f"expected a {poll.what} to cost at most {limit:,} {unit}, found {round(cost, 1):,}"


def report(benchmark: PollBenchmark, times: int, limits: Limits) -> int:
    """Prints the table. Returns the exit code, 1 when a poll breaks a limit."""
    polls = list(benchmark.polls(times))
    for line in _table(polls, benchmark.everything(), limits):
        sys.stdout.write(line + "\n")
    broken = list(broken_limits(polls, limits))
    for line in broken:
        sys.stderr.write(line + "\n")
    return 1 if broken else 0


def _table(polls: Sequence[Cost], everything: Cost, limits: Limits) -> Iterator[str]:
    yield f"{'':22} {'requests':>10} {'bytes':>12} {'ms of CPU':>11} {'median ms':>11}"
    for cost in (*polls, everything):
        traffic = f"{cost.traffic.requests:10,} {cost.traffic.received:12,}"
        yield f"{cost.what:22} {traffic} {cost.processor:11,.1f} {cost.median:11,.1f}"
    yield f"{'limit of a poll':22} {limits.requests:10,} {limits.received:12,} {limits.milliseconds:11,.1f}"
    bytes_less = everything.traffic.received / max(poll.traffic.received for poll in polls)
    time_less = everything.processor / max(0.1, *(poll.processor for poll in polls))
    yield f"the largest poll costs 1/{bytes_less:,.0f} of the bytes and 1/{time_less:,.0f} of the CPU of all runs"


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    unwind_on_signals()
    with (
        tempfile.TemporaryDirectory(prefix="poll-cost-") as folder,
        poll_benchmark(Path(folder), options.runs, options.delivered) as measured,
    ):
        return report(measured, options.polls, Limits().with_history(options.delivered))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    limits = Limits()
    more = limits.with_history(1)
    parser = argparse.ArgumentParser(
        prog="benchmarks/poll-cost",
        description="Measures what one poll of the GoCD plugin costs on a real MLflow (sqlite) with many runs of which"
        " one is promoted, beside fetching all runs, as the plugin of 2018 did. Exit 1 when a poll costs more than"
        f" {limits.requests} requests, {limits.received:,} bytes of answers or {limits.milliseconds:g} ms of CPU of"
        f" MLflow and the plugin; of each run that was delivered before, {more.received - limits.received:,} bytes and"
        f" {more.milliseconds - limits.milliseconds:g} ms more, and a request for every {RUNS_PER_ANSWER}.",
        epilog="example: benchmarks/poll-cost --runs 1000 --delivered 300 --polls 5",
    )
    parser.add_argument("--runs", type=_positive, default=20_000, help="runs in the experiment (%(default)s)")
    parser.add_argument("--delivered", type=_count_of, default=0, help="of them were delivered before (%(default)s)")
    parser.add_argument("--polls", type=_positive, default=15, help="polls of each kind (%(default)s)")
    return parser.parse_args(arguments)


def _count_of(text: str) -> int:
    return 0 if text == "0" else _positive(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, found '{text}'")
    return int(text)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, PluginFailed, httpx.HTTPError) as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

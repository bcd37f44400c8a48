"""A report as gauges in a file that node_exporter's textfile collector reads, for Prometheus to keep and alert on."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from services.contract.errors import Refused, reason
from services.contract.monitoring import Drift, LiveMetric, Monitoring


def write_gauges(path: Path, found: Monitoring) -> None:
    """Whole or not at all, in place of what was there. Raises Refused where it cannot be written."""
    gauges = _Gauges(found.model)
    _of_columns(gauges, found)
    _of_window(gauges, found)
    if found.metric:
        _of_metric(gauges, found.metric)
    try:
        write_to_textfile(str(path), gauges.registry)
    except OSError as error:
        raise Refused(f"{path}: expected a folder that can be written to, found: {reason(error)}") from error


class _Gauges:
    """Each by its name, with the model as a label of all."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._model = model
        self._known: dict[str, Gauge] = {}

    def set(self, name: str, words: str, value: float | None, **labels: str) -> None:
        """None is left out, as a gauge has no word for it."""
        if value is None:
            return
        if name not in self._known:
            self._known[name] = Gauge(f"trackback_{name}", words, ("model", *labels), registry=self.registry)
        self._known[name].labels(model=self._model, **labels).set(value)


def _of_columns(gauges: _Gauges, found: Monitoring) -> None:
    for one in found.judged:
        where = {"column": one.name}
        gauges.set("drift_psi", "Population stability index against the hold-out", one.psi, **where)
        gauges.set("drift_psi_limit", "What chance alone seldom exceeds", one.psi_limit, **where)
        gauges.set("drift_missing_share", "Share of rows without a value", one.missing_now, **where)
        gauges.set("drift_unseen_share", "Share of rows with a value that the hold-out lacks", one.unseen, **where)
        drifted = one.counts and one.verdict is Drift.DRIFTED
        gauges.set("drift_drifted", "1 where a column has surely moved by what matters", drifted, **where)
        for test in one.tests:
            words = "Probability of such a difference by chance, corrected for all tests"
            gauges.set("drift_p_value", words, test.adjusted_p_value, **where, test=test.what)


def _of_window(gauges: _Gauges, found: Monitoring) -> None:
    for verdict in Drift:
        gauges.set("monitor_verdict", "1 for what was found", found.verdict is verdict, verdict=str(verdict))
    gauges.set("monitor_rows", "Rows that were judged", found.rows)
    words = "Which release was looked at"
    gauges.set("monitor_release_info", words, 1, revision=found.revision, release=found.release)
    for status, count in found.traffic.by_status.items():
        gauges.set("monitor_requests", "Logged requests of the window", count, status=status)
    for share, value in found.traffic.latency_ms.items():
        words = "Seconds that a request took, by the share that took no longer"
        gauges.set("monitor_latency_seconds", words, value / 1000, quantile=share)
    if found.traffic.until:
        words = "When the last request of the window was answered, since 1970"
        gauges.set("monitor_until_seconds", words, found.traffic.until.timestamp())


def _of_metric(gauges: _Gauges, metric: LiveMetric) -> None:
    for side, one in (("live", metric.live), ("promised", metric.promised)):
        for end, value in (("value", one.value), ("low", one.low), ("high", one.high)):
            words = "The metric that releases are compared by, with its interval"
            gauges.set("monitor_metric", words, value, metric=metric.metric, of=side, end=end)

"""The metrics of everything that answers, on one page: only the rollout service knows, and reaches, all of it."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from services.rollout.serving import Scraped

AT_ONCE = 16
# Of a release's digest, as `trackback.release` has it.
DIGITS = 12


class Scrape(Collector):
    """Of each its role for its model, and its page, None where nothing answered in time."""

    def __init__(self, pages: Iterable[tuple[Scraped, str, str | None]]) -> None:
        self._pages = list(pages)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("trackback_serving_up", "1 when what answers told its metrics")
        families: dict[str, Metric] = {}
        for scraped, role, page in self._pages:
            labels = {"model": scraped.model, "replica": scraped.replica, "release": scraped.release[:DIGITS]}
            labels["role"] = role
            told = _families(page)
            up.add_sample(up.name, labels, told is not None)
            for found in told or ():
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    family.add_sample(sample.name, {**labels, **sample.labels}, sample.value)
        yield up
        yield from families.values()


def _families(page: str | None) -> list[Metric] | None:
    """None for what is no page of metrics."""
    try:
        return list(text_string_to_metric_families(page)) if page else None
    except ValueError:
        return None


def scrape(roles: Sequence[tuple[Scraped, str]]) -> str:
    """In Prometheus' text format 0.0.4, of what is scraped and its role."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        pages = list(threads.map(_page, [scraped for scraped, _ in roles]))
    registry = CollectorRegistry()
    registry.register(Scrape((*one, page) for one, page in zip(roles, pages, strict=True)))
    return generate_latest(registry).decode()


def _page(scraped: Scraped) -> str | None:
    try:
        with scraped.client() as client:
            answer = client.get("/metrics")
    except (httpx.HTTPError, OSError):
        return None
    return answer.text if answer.status_code == 200 else None

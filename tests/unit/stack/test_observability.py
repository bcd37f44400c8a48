"""The dashboard asks for metrics that exist, of a data source that is there."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.prediction.observed.exposition import exposition as release_exposition
from services.prediction.observed.siblings import Alone
from services.rollout.metrics import exposition
from tests.support.compose_file import services
from tests.support.paths import ROOT

FOLDER = ROOT / "services" / "observability"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboards" / "trackback.json").read_text())
ANNOTATIONS = DASHBOARD["annotations"]["list"]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [annotation["expr"] for annotation in ANNOTATIONS]
ALERTS = FOLDER / "alerts.yml"
ALERTING = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
# Recorded from a gateway with two models, in slot-01 and slot-02.
HAPROXY = (Path(__file__).parent / "observability_samples" / "haproxy-2.6.12.metrics").read_text()
# What Prometheus itself says of whom it asks.
OF_PROMETHEUS = {"up"}


def provisioned(kind: str) -> dict[str, Any]:
    (file,) = (FOLDER / "grafana" / "provisioning" / kind).glob("*.yml")
    return dict(yaml.safe_load(file.read_text()))


def sources(part: Any) -> Iterator[str]:
    """The uid of every data source that is named anywhere in the dashboard."""
    if isinstance(part, dict):
        if "datasource" in part:
            yield part["datasource"]["uid"]
        for value in part.values():
            yield from sources(value)
    elif isinstance(part, list):
        for value in part:
            yield from sources(value)


def families(exposed: str) -> set[str]:
    return {line.split()[2] for line in exposed.splitlines() if line.startswith("# TYPE ")}


def of_releases() -> set[str]:
    """With the parts of histograms, which have no line of their own."""
    told = families(release_exposition(Alone().total(), {}).decode())
    return told | {f"{name}_{part}" for name in told for part in ("bucket", "sum", "count")}


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *ALERTING])
def test_every_metric_of_the_dashboard_and_the_alerts_is_told_by_somebody(expression: str) -> None:
    named = set(re.findall(r"\b(?:haproxy|trackback)_\w+|\bup\b", expression))
    assert named
    assert named <= families(HAPROXY) | families(exposition([])) | of_releases() | OF_PROMETHEUS


def test_the_dashboard_shows_steps_their_shares_and_who_went_back() -> None:
    asked = set(re.findall(r"trackback_\w+", " ".join(EXPRESSIONS)))
    assert asked >= {"trackback_step_share_ratio", "trackback_rollbacks_total", "trackback_steps_taken_back_total"}
    assert "Rollbacks" in {annotation["name"] for annotation in ANNOTATIONS}


def test_the_dashboard_shows_a_candidate_beside_the_live_release() -> None:
    by_release = [expression for expression in EXPRESSIONS if "by (model, release, role" in expression]
    asked = {name for one in by_release for name in re.findall(r"trackback_\w+", one)}
    assert asked == {"trackback_requests_total", "trackback_request_seconds_bucket"}
    assert len(by_release) == 3


def test_prometheus_loads_the_alerts_from_where_they_are_mounted() -> None:
    (file,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["rule_files"]
    assert f"./services/observability/{ALERTS.name}:/etc/prometheus/{file}:ro" in services()["prometheus"]["volumes"]


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is missing: apt-get install prometheus")
def test_each_alert_fires_on_what_it_is_for_and_not_before(tmp_path: Path) -> None:
    sample = (Path(__file__).parent / "observability_samples" / "alerts.test.yml").read_text()
    tests = tmp_path / "alerts.test.yml"
    tests.write_text(sample.replace("RULES", str(ALERTS)))
    for words in (("check", "rules", str(ALERTS)), ("test", "rules", str(tests))):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_gateway_tells_its_answers_by_the_codes_that_the_dashboard_asks_for() -> None:
    asked = set(re.findall(r'(haproxy_\w+)\{code="(\w+)"', " ".join(EXPRESSIONS)))
    told = set(re.findall(r'^(haproxy_\w+)\{proxy="slot-01",code="(\w+)"\}', HAPROXY, re.MULTILINE))
    assert len(asked) == 2
    assert asked <= told


def test_every_panel_asks_the_data_source_that_is_provisioned() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert set(sources(DASHBOARD)) == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"


def test_the_dashboard_is_where_grafana_looks_for_it_and_opens_with_it() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    folder = provider["options"]["path"]
    grafana = services()["grafana"]
    assert f"./services/observability/grafana/dashboards:{folder}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/trackback.json"


def test_prometheus_asks_services_of_the_stack_and_not_more_often_than_a_rate_allows() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    asked = [target for job in config["scrape_configs"] for one in job["static_configs"] for target in one["targets"]]
    assert {job["job_name"] for job in config["scrape_configs"]} == {"gateway", "rollout", "serving"}
    assert {target.partition(":")[0] for target in asked} <= set(services())
    (source,) = provisioned("datasources")["datasources"]
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_no_two_panels_cover_one_another() -> None:
    places = [
        {(x + at["x"], y + at["y"]) for x in range(at["w"]) for y in range(at["h"])}
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
    ]
    assert len(set().union(*places)) == sum(map(len, places))
    assert max(x for place in places for x, _ in place) < 24

"""`trackback monitor`: which log and which release it looks at, what it needs, and how it says what it found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from services.contract import names
from services.contract.digest import digest_directory
from services.contract.errors import Refused, Unavailable
from services.contract.monitoring import Drift, Monitoring
from services.contract.release import Manifest, PredictionLog
from services.delivery.cli import build
from services.delivery.clients.logged_predictions import logged_predictions
from services.delivery.monitoring.gather import Wanted, gathered
from services.delivery.monitoring.gauges import write_gauges
from services.delivery.monitoring.window import Window
from services.delivery.settings import Settings
from services.delivery.verbs.monitor import MonitorOptions, found_by
from tests.support.monitored import Traffic, build_monitored, records, write_labels, write_log
from tests.support.release_factory import build_release

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("store")
    return root, build_monitored(root)


@pytest.fixture
def settings(store: tuple[Path, str]) -> Settings:
    """Of a machine on which neither MLflow nor the rollout service is up."""
    return Settings(store=store[0], rollout_url=NOBODY, mlflow_tracking_uri=NOBODY)


def options(**changes: Any) -> MonitorOptions:
    return MonitorOptions(**{"model": "diamond-price", **changes})


def test_of_a_folder_the_release_that_answered_last_is_taken_when_nobody_says_what_is_live(
    store: tuple[Path, str], settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = found_by(settings, options(log=write_log(tmp_path, store[1])))
    assert (found.release, found.verdict) == (store[1], Drift.STABLE)
    assert "note: the release of the last logged request is taken, 1-aaaaaaaa" in capsys.readouterr().err
    with pytest.raises(Unavailable, match=f"expected the rollout service at {NOBODY}"):
        found_by(settings, options())


def test_without_a_hold_out_and_with_mlflow_down_the_release_s_own_record_is_used(
    store: tuple[Path, str], settings: Settings, tmp_path: Path
) -> None:
    (holdout,) = (store[0] / "holdouts").iterdir()
    holdout.rename(tmp_path / holdout.name)
    try:
        found = found_by(settings, options(log=write_log(tmp_path / "log", store[1])))
    finally:
        (tmp_path / holdout.name).rename(holdout)
    assert (found.reference.kind, found.columns) == ("recorded answers", ())
    assert found.notes[0].startswith("inputs are not compared, because the hold-out cannot be had: expected MLflow at")


def test_a_release_that_keeps_no_log_is_told_how_to_keep_one(settings: Settings, tmp_path: Path) -> None:
    release = build_release(settings.store)
    for share, said in ((0.0, r"because it keeps none: set serving: \{prediction_log: \{share: 0.1"), (0.1, "ask the")):
        digest = logging(settings.store, release.digest, share)
        with pytest.raises(Refused, match=said):
            found_by(settings, options(log=tmp_path, release=digest))


def logging(store: Path, release: str, share: float) -> str:
    """The same release with another share."""
    folder = store / "releases" / release
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    limits = manifest.limits.model_copy(update={"prediction_log": PredictionLog(share=share)})
    manifest.model_copy(update={"limits": limits}).write(folder / names.MANIFEST_FILE)
    digest = digest_directory(folder)
    if digest != release:
        folder.rename(folder.with_name(digest))
    return digest


def test_a_window_or_a_release_without_requests_is_refused_with_what_there_is(
    store: tuple[Path, str], settings: Settings, tmp_path: Path
) -> None:
    log = write_log(tmp_path, store[1])
    with pytest.raises(Refused, match="answered until 2020-01-01 00:00:00 UTC, found none in that window"):
        found_by(settings, options(log=log, until="2020-01-01"))
    (log / "predictions-0-0.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in records("f" * 64)))
    with pytest.raises(Refused, match="found 900 that another release answered: name another window, or the release"):
        found_by(settings, options(log=log, release=store[1]))


@pytest.mark.parametrize(("traffic", "code"), [(Traffic(), 0), (Traffic(carat_times=2), 1)])
def test_a_check_exits_with_1_when_something_drifted_and_writes_what_it_found(
    store: tuple[Path, str],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    traffic: Traffic,
    code: int,
) -> None:
    for name in ("store", "rollout_url", "mlflow_tracking_uri"):
        variable = name.upper() if name.startswith("mlflow") else f"TRACKBACK_{name.upper()}"
        monkeypatch.setenv(variable, str(getattr(settings, name)))
    log, labels = write_log(tmp_path / "log", store[1], traffic), write_labels(tmp_path / "labels.csv", traffic)
    words = ["monitor", "diamond-price", "--log", str(log), "--labels", str(labels), "--out", str(tmp_path), "--check"]
    done = CliRunner().invoke(build(words), [*words, "--prometheus", str(tmp_path / "diamond-price.prom")])
    assert done.exit_code == code, done.output
    found = Monitoring.read(tmp_path / "monitoring.json")
    assert f"{found.verdict.upper()}: " in done.stderr
    assert "<svg" in (tmp_path / "monitoring.html").read_text()
    assert "trackback_drift_psi{" in (tmp_path / "diamond-price.prom").read_text()


def gauges(path: Path) -> dict[tuple[str, ...], float]:
    """By the name and the values of all labels but the model's."""
    families = text_string_to_metric_families(path.read_text())
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels.pop("model") for sample in samples} == {"diamond-price"}
    return {(one.name, *one.labels.values()): one.value for one in samples}


def test_gauges_are_those_of_the_report(store: tuple[Path, str], settings: Settings, tmp_path: Path) -> None:
    log = write_log(tmp_path, store[1], Traffic(new_cuts=0.2))
    found = found_by(settings, options(log=log, labels=write_labels(tmp_path / "labels.csv")))
    write_gauges(tmp_path / "x.prom", found)
    (cut,) = (one for one in found.columns if one.name == "cut")
    told = gauges(tmp_path / "x.prom")
    assert (told["trackback_drift_psi", "cut"], told["trackback_drift_psi_limit", "cut"]) == (cut.psi, cut.psi_limit)
    assert told["trackback_drift_unseen_share", "cut"] == pytest.approx(0.2, abs=0.04)
    assert (told["trackback_drift_drifted", "cut"], told["trackback_drift_drifted", "carat"]) == (1, 0)
    assert told["trackback_monitor_verdict", "drifted"] == 1
    assert told["trackback_monitor_requests", "422"] == 9
    assert found.metric
    assert told["trackback_monitor_metric", "low", "mean_absolute_error", "live"] == found.metric.live.low
    with pytest.raises(Refused, match="expected a folder that can be written to, found"):
        write_gauges(tmp_path / "none" / "x.prom", found)


class Chunks(httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield from (self._content[first : first + 1000] for first in range(0, len(self._content), 1000))


def test_the_rollout_service_sends_the_log_to_who_shows_its_token(store: tuple[Path, str]) -> None:
    every = [one.model_copy(update={"inputs": [[1.0, "a\u2028b\x85c", 1]]}) for one in records(store[1])]
    content = "".join(f"{one.model_dump_json()}\n" for one in every).encode()

    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/models/diamond-price/predictions")
        if request.headers.get("Authorization") != "Bearer secret":
            return httpx.Response(401, text="no token")
        return httpx.Response(200, stream=Chunks(content + b'{"at": half a li'))

    transport = httpx.MockTransport(answer)
    assert list(logged_predictions("http://rollout", "diamond-price", "secret", transport)) == every
    wanted = Wanted(store[1], Window(), ("carat", "cut", "grade"))
    assert gathered(logged_predictions("http://rollout", "diamond-price", "secret", transport), wanted).read == 900
    with pytest.raises(Refused, match="expected the prediction log, found 401: no token"):
        list(logged_predictions("http://rollout", "diamond-price", None, transport))

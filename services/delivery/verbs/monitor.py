"""monitor: what production asks and is answered, beside the hold-out that the release was validated on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.contract import names
from services.contract.errors import Refused, Unavailable
from services.contract.model_config import ModelConfig, load_model_config
from services.contract.monitoring import Drift, Monitoring
from services.contract.prediction_log import LoggedPrediction, read_log
from services.contract.record import Sha256, write_atomically
from services.contract.release import Manifest
from services.delivery.clients.logged_predictions import logged_predictions
from services.delivery.clients.rollout_client import Rollout
from services.delivery.monitoring.window import Window
from services.delivery.options import takes
from services.delivery.output import keep, say
from services.delivery.scoring.background_import import import_in_background
from services.delivery.scoring.scoring import Scorer
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.trace import live_release

if TYPE_CHECKING:
    from services.delivery.monitoring.gather import Gathered
    from services.delivery.monitoring.reference import Known

_WHEN = "2026-11-28T09:00Z"


@dataclass(frozen=True)
class MonitorOptions:
    model: Annotated[str, typer.Argument(help="The model whose answers are looked at.")]
    log: Annotated[
        Path | None, typer.Option(help="A folder with its prediction log; else what the rollout service has.")
    ] = None
    release: Annotated[
        str | None, typer.Option(help="Digest (or its start) of the release that answered; else live.")
    ] = None
    since: Annotated[str | None, typer.Option(help=f"Only what was answered since then, such as {_WHEN}.")] = None
    until: Annotated[str | None, typer.Option(help="Only what was answered before.")] = None
    last: Annotated[str | None, typer.Option(help="Only the last 30m, 24h, 7d or 4w.")] = None
    labels: Annotated[
        Path | None, typer.Option(help="CSV or Parquet of request_id, row and the target, which came later.")
    ] = None
    key: Annotated[
        str | None,
        typer.Option(help="A column of the model by which labels are found, in place of request_id and row."),
    ] = None
    out: Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")] = None
    prometheus: Annotated[
        Path | None, typer.Option(help="Write gauges into this .prom file, for node_exporter's textfile collector.")
    ] = None
    check: Annotated[bool, typer.Option("--check", help="Exit 1 when something drifted.")] = False


@takes(MonitorOptions)
def monitor(options: MonitorOptions) -> None:
    """Hold the prediction log against the release's hold-out: inputs, answers, latency, and the metric with labels.

    Says stable, drifted or too few rows, by tests that are corrected for their number, of moves that matter.
    Example: trackback monitor diamond-price --last 24h --out out --check
    """
    import_in_background("scipy.stats", "services.delivery.reports.matplotlib_parts")
    found = found_by(Settings(), options)
    _show(found, options)
    if options.check and found.verdict is Drift.DRIFTED:
        raise typer.Exit(1)


def found_by(settings: Settings, options: MonitorOptions) -> Monitoring:
    """Raises Refused where there is no log, no release or nothing to hold it against."""
    config, store = load_model_config(settings.models, options.model), Store(settings.store)
    digest = store.find_release(options.model, options.release or _answering(settings, options))
    manifest = Manifest.read(store.release(digest) / names.MANIFEST_FILE)
    # Imported when there is something to count: SciPy takes longer than to read most logs.
    from services.delivery.monitoring.monitoring import monitored
    from services.delivery.monitoring.reference import as_trained

    window = Window.of(options.since, options.until, options.last, datetime.now(UTC))
    found = _read(settings, options, as_trained(config, manifest), window, digest)
    if not found.traffic.requests:
        raise Refused(_nothing_found(manifest, digest, window, found))
    return monitored(_known(settings, Scorer.of(settings, config), digest), digest, found)


def _log(settings: Settings, options: MonitorOptions) -> Iterator[LoggedPrediction]:
    """From the folder that is named, else from the rollout service, which knows where serving processes have it."""
    if options.log:
        return read_log(options.log)
    return logged_predictions(settings.rollout_url, options.model, settings.rollout_access_token)


def _answering(settings: Settings, options: MonitorOptions) -> Sha256:
    """The live release; that of the last request in a folder where nobody says what is live."""
    try:
        return live_release(Rollout(settings.rollout_url), options.model)
    except Unavailable as unavailable:
        last = max(read_log(options.log), key=lambda one: one.at, default=None) if options.log else None
        if last is None:
            raise
        say(f"note: the release of the last logged request is taken, {last.revision} ({unavailable})")
        return last.release


def _read(
    settings: Settings, options: MonitorOptions, config: ModelConfig, window: Window, digest: Sha256
) -> "Gathered":
    from services.delivery.monitoring.gather import Wanted, gathered
    from services.delivery.monitoring.labels import Labels, NoLabels, read_labels

    columns = tuple(config.data.columns)
    labels: Labels | NoLabels = NoLabels()
    if options.labels:
        labels = read_labels(options.labels, config.task, config.data.target, options.key, columns)
    return gathered(_log(settings, options), Wanted(digest, window, columns, labels))


def _nothing_found(manifest: Manifest, digest: Sha256, window: Window, found: "Gathered") -> str:
    expected = f"expected requests of {manifest.model} that release {digest[:12]}… answered {window}, found"
    if found.read:
        others = f"{found.others:,} that another release answered" if found.others else "none in that window"
        return f"{expected} {others}: name another window, or the release with --release"
    if manifest.limits.prediction_log.share:
        return f"{expected} an empty prediction log: ask the model first"
    return (
        f"{expected} no prediction log, because it keeps none: set serving: {{prediction_log: {{share: 0.1}}}} in "
        "model.yaml, which keeps a tenth of the requests, and promote a run"
    )


def _known(settings: Settings, scorer: Scorer, digest: Sha256) -> "Known":
    from services.delivery.clients.registry import Registry
    from services.delivery.monitoring.reference import known

    def fetch(manifest: Manifest) -> None:
        run = manifest.candidate.run
        mlflow = Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization)
        with mlflow, scorer.store.staging() as staging:
            file = mlflow.download_artifact(mlflow.run(run.run_id), names.HOLDOUT_ARTIFACT, staging)
            scorer.store.put_holdout(file, run.holdout.sha256)

    return known(scorer, digest, fetch)


def _show(found: Monitoring, options: MonitorOptions) -> None:
    from services.delivery.reports.monitoring_view import decided, headline
    from services.delivery.reports.report import monitoring_page

    say(f"{found.verdict.upper()}: {headline(found)}")
    for one in decided(found):
        say(f"  {one.word}: {f'{one.name}: ' if one.name else ''}{one.words}")
    for note in found.notes:
        say(f"note: {note}")
    if options.out:
        write_atomically(options.out / names.MONITORING_PAGE, monitoring_page(found).encode())
    keep(found, options.out, names.MONITORING_FILE)
    if options.prometheus:
        from services.delivery.monitoring.gauges import write_gauges

        write_gauges(options.prometheus, found)

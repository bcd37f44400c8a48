"""rehearse: all that a promotion goes through up to a release, without GoCD and without a release."""

import getpass
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Purpose
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion
from services.contract.record import ModelName, Record, Revision, RunId
from services.contract.release import Release
from services.contract.validation import Validation
from services.contract.verdict import Verdict
from services.delivery.clients.registry import Registry, model_id
from services.delivery.output import emit, say
from services.delivery.settings import Settings
from services.delivery.verbs.fetch import fetched
from services.delivery.verbs.package import package
from services.delivery.verbs.promote import refuse_unready
from services.delivery.verbs.validate import validate

_VARIABLE = "TRACKBACK_STORE"
# Of the shared store: what is live, and the environments of models that bring their own.
_READ = (names.RELEASES_FOLDER, "environments")


class Rehearsal(Record):
    """What the gates said, None of those that it did not come to; `served_as` is the form that would answer, None also
    for one that is for batch only."""

    model: ModelName
    run_id: RunId
    revision: Revision
    validation: Verdict | None = None
    comparison: Verdict | None = None
    packaged: bool = False
    served_as: str | None = None
    stopped_at: str | None = None


def rehearse(
    run: Annotated[str, typer.Argument(help="The run's id, 32 hex digits.")],
    out: Annotated[Path | None, typer.Option(help="Keep the stages' JSON and HTML reports in this folder.")] = None,
    who: Annotated[str | None, typer.Option("--as", help="Who rehearses; your user name if not given.")] = None,
) -> None:
    """Fetch, validate, compare with what is live and package, and tell the run: nothing is promoted, nothing deployed.

    GoCD is not asked; MLflow and the rollout service are. Prints the verdicts as JSON; exit 1 when a gate stops it.
    Example: trackback rehearse 0123456789abcdef0123456789abcdef
    """
    with _place() as place, _store(place, Settings().store):
        found = rehearsed(Settings(), run, who or getpass.getuser(), out or place)
    say(_summary(found))
    emit(found)
    if found.stopped_at:
        raise typer.Exit(1)


def rehearsed(settings: Settings, run_id: str, who: str, folder: Path) -> Rehearsal:
    """Raises Refused when the run cannot be delivered, or a stage cannot be taken."""
    promotion = _as_if_promoted(settings, run_id, who)
    load_model_config(settings.models, promotion.model)
    say(f"1 of 4: fetch run {run_id[:8]} of {promotion.model}")
    file = folder / names.CANDIDATE_FILE
    fetched(settings, promotion, None, Purpose.REHEARSAL).write(file)
    found = Rehearsal(model=promotion.model, run_id=run_id, revision=promotion.label)
    for number, (name, stage) in enumerate(_stages(file, folder), 2):
        say(f"{number} of 4: {name}")
        stopped = _stops(stage)
        found = found.model_copy(update={**_said(name, folder), "stopped_at": name if stopped else None})
        if stopped:
            break
    return found


def _as_if_promoted(settings: Settings, run_id: str, who: str) -> Promotion:
    if not names.RUN_ID.fullmatch(run_id):
        raise Refused(f"expected a run id of 32 hex digits, found '{run_id}': copy it from the run's page in MLflow")
    with Registry(settings.mlflow_tracking_uri, settings.mlflow_authorization) as registry:
        run = registry.run(run_id)
        model = registry.experiment_name(run)
        refuse_unready(registry, run, model)
    return Promotion(
        model=model,
        label=f"0-{run_id[:8]}",
        run_id=run_id,
        run_name=run.info.run_name,
        run_status=run.info.status,
        experiment_id=run.info.experiment_id,
        model_id=model_id(run),
        promotion=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        promoted_by=who,
    )


def _stages(candidate: Path, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The verbs as pipelines call them."""
    # Slow to import, and not needed by a run that cannot even be fetched.
    from services.delivery.verbs.compare import compare

    verdicts = folder / names.VALIDATION_FILE, folder / names.COMPARISON_FILE
    yield "validate", lambda: validate(candidate, folder)
    yield "compare", lambda: compare(candidate, folder)
    yield "package", lambda: package(candidate, *verdicts, folder)


def _stops(stage: Callable[[], None]) -> bool:
    try:
        stage()
    except typer.Exit:
        return True
    return False


def _said(stage: str, folder: Path) -> dict[str, object]:
    if stage == "validate":
        return {"validation": Validation.read(folder / names.VALIDATION_FILE).verdict}
    if stage == "compare":
        return {"comparison": Comparison.read(folder / names.COMPARISON_FILE).verdict}
    form = Release.read(folder / names.RELEASE_FILE).manifest.servable.form
    return {"packaged": True, "served_as": form.runtime if form else None}


def _summary(found: Rehearsal) -> str:
    verdicts = {"validate": found.validation, "compare": found.comparison}
    said = [f"{stage} {verdict}" for stage, verdict in verdicts.items() if verdict]
    if found.packaged:
        said.append(f"served by {found.served_as}" if found.served_as else "for batch only")
    end = f": a promotion would stop at {found.stopped_at}" if found.stopped_at else ": nothing was kept or deployed"
    return f"rehearsed {found.model} with run {found.run_id[:8]}: {', '.join(said)}{end}"


@contextmanager
def _place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trackback-rehearsal-") as folder:
        yield Path(folder)


@contextmanager
def _store(place: Path, shared: Path) -> Iterator[None]:
    """A store for this rehearsal, in which the verbs find what is live: of the shared one it is only read."""
    own = place / "store"
    own.mkdir()
    for name in _READ:
        (own / name).symlink_to((shared / name).absolute())
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(own)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        if before is not None:
            os.environ[_VARIABLE] = before

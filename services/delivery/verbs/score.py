"""score: files of rows by a release, on Spark on this machine or on a cluster."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.batch_job import BatchJob, Format
from services.contract.checkout import ROOT
from services.contract.distribution import Distribution, distribution_of
from services.contract.environments import python_for
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.release import Manifest
from services.delivery.clients.rollout_client import Rollout
from services.delivery.options import takes
from services.delivery.output import emit
from services.delivery.reports.run_page import tell_batch
from services.delivery.scoring.messages import Scores
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.trace import live_release

_SPARK = "spark"
_S3A = "s3a"


@dataclass(frozen=True)
class ScoreOptions:
    model: Annotated[str, typer.Argument(help="The model whose release answers.")]
    input: Annotated[str, typer.Option(help="A file, folder or pattern: a path, or s3a://…, hdfs://… .")]
    output: Annotated[str, typer.Option(help="The folder to write, which is there whole or not at all.")]
    release: Annotated[str | None, typer.Option(help="Digest (or its start) of a release in the store; else live.")] = (
        None
    )
    master: Annotated[str, typer.Option(help="Spark's master: this machine, spark://…, yarn or k8s://… .")] = "local[*]"
    format: Annotated[Format | None, typer.Option(help="Of input and output; else by the names of the files.")] = None
    keep: Annotated[str, typer.Option(help="Columns of the input that stand in the output: a,b,c.")] = ""
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Score again, and replace the output.")] = False
    part_mib: Annotated[int, typer.Option(min=1, help="How much of the input is committed at once, in MiB.")] = 64


@takes(ScoreOptions)
def score(options: ScoreOptions) -> None:
    """Score files of rows as the online service would answer them; prints the receipt as JSON.

    Rows that the service would refuse go to the folder rejected/ with the reason. A second run with the same input and
    release does nothing; one after a run that was ended goes on with the parts that are missing.
    Example: trackback score diamond-price --input rows.parquet --output scored --keep carat,cut
    """
    settings = Settings()
    store = Store(settings.store)
    digest = _release(settings, store, options)
    receipt = _scored(settings, job(settings, store, digest, options))
    store.put_receipt(receipt)
    tell_batch(settings, receipt)
    emit(receipt)


def job(settings: Settings, store: Store, digest: str, options: ScoreOptions) -> BatchJob:
    """Raises Refused when the release is none of this model, or its environment cannot be had."""
    folder = store.release(digest)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    expected, compared_with = _expected(store, manifest)
    return BatchJob(
        release=digest,
        folder=str(folder.absolute()),
        python=str(_python(settings, manifest, folder)),
        input=_address(options.input),
        output=_address(options.output),
        format=options.format,
        keep=tuple(dict.fromkeys(filter(None, options.keep.split(",")))),
        overwrite=options.overwrite,
        master=options.master,
        part_bytes=options.part_mib << 20,
        expected=expected,
        compared_with=compared_with,
        jars=_jars((options.input, options.output)),
        endpoint=settings.mlflow_s3_endpoint_url,
    )


def _release(settings: Settings, store: Store, options: ScoreOptions) -> str:
    if options.release is None:
        return live_release(Rollout(settings.rollout_url), options.model)
    return store.find_release(options.model, options.release)


def _expected(store: Store, manifest: Manifest) -> tuple[Distribution | None, str]:
    """The model's own answers to its hold-out, as the gates have left them in the store."""
    candidate = manifest.candidate
    path = store.scores_path(candidate.digest, candidate.run.holdout.sha256)
    if not path.is_file():
        return None, "nothing: the store has no answers to the hold-out"
    answers = [one for one in Scores.read(path).predictions if one is not None]
    return distribution_of(manifest.task, answers), f"{len(answers)} answers to the hold-out"


def _address(place: str) -> str:
    """With a scheme: a path is one of this machine. Hadoop takes every character of it for what it is."""
    return place if "://" in place else f"file://{Path(place).absolute()}"


def _python(settings: Settings, manifest: Manifest, folder: Path) -> Path:
    """Of the release's own environment; that of Spark where Spark itself answers."""
    form = manifest.servable.form
    name = f"prediction-{form.runtime}" if form else _SPARK
    for needed in {name, _SPARK}:
        if not (settings.environments / needed / "bin" / "python").exists():
            _set_up(needed)
    python = python_for(name, folder / names.MODEL_FOLDER, settings.environments)
    if python is None:
        raise Refused(f"expected an environment {name} in {settings.environments}, found none: scripts/setup {name}")
    return python.absolute()


def _jars(places: tuple[str, ...]) -> tuple[str, ...]:
    """What Spark's own package lacks for an object store."""
    if not any(place.startswith(f"{_S3A}://") for place in places):
        return ()
    _set_up(_S3A)
    return tuple(sorted(str(path) for path in (ROOT / ".tools" / _S3A).glob("*.jar")))


def _set_up(need: str) -> None:
    done = subprocess.run([ROOT / "scripts" / "setup", need], stdout=sys.stderr, check=False)
    if done.returncode:
        raise Refused(f"expected to set up {need} for Spark, could not: scripts/setup {need}")


def _scored(settings: Settings, asked: BatchJob) -> Receipt:
    """By the driver in Spark's environment, which has its own words for what goes wrong."""
    python = settings.environments / _SPARK / "bin" / "python"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        asked.write(file)
        command = [str(python), "-P", "-m", "services.batch", str(file)]
        with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as driver:
            said = _said(driver)
        if driver.returncode:
            raise typer.Exit(driver.returncode if driver.returncode > 0 else 1)
    return Receipt.from_json(said, "the driver's receipt")


def _said(driver: "subprocess.Popen[str]") -> str:
    """Ctrl-C reaches the driver as well, which says what became of the rest."""
    while True:
        try:
            return driver.communicate()[0]
        except KeyboardInterrupt:
            continue

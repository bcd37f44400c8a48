"""A batch from the first look at its input to the receipt."""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from pyspark.sql import SparkSession

from services.batch.batch import Batch
from services.batch.by_form import FormScorer
from services.batch.by_spark import SparkScorer, model_of
from services.batch.failures import FAILED, task_reason
from services.batch.files import Files
from services.batch.inputs import Input, read_input
from services.batch.output import Output
from services.batch.parts import plan
from services.batch.receipts import Teller
from services.batch.scorer import Scorer
from services.batch.session import is_local, session
from services.batch.shipping import ship
from services.contract.batch_job import BatchJob
from services.contract.errors import Refused
from services.contract.open_release import open_release
from services.contract.receipt import Receipt
from services.contract.release import Golden, Release

# Of a master, the workers' interpreter and settings.
Start = Callable[[str, str, Mapping[str, str]], AbstractContextManager[SparkSession]]


def score(job: BatchJob, start: Start = session) -> Receipt:
    """Raises Refused, in one line, for whatever keeps it from being done; parts that are whole by then are kept for
    the next run."""
    release, golden = open_release(Path(job.folder), job.release)
    with tempfile.TemporaryDirectory() as folder:
        shipped = ship(job, Path(folder))
        with start(job.master, *shipped) as spark:
            try:
                return _scored(spark, job, release, golden)
            except FAILED as error:
                raise Refused(f"expected Spark to score {job.input}, found: {task_reason(error)}") from error


def _scored(spark: SparkSession, job: BatchJob, release: Release, golden: Golden) -> Receipt:
    files = Files(spark.sparkContext)
    output = Output(files, job.output)
    output.check_apart(job.input)
    output.check_ours()
    found = read_input(spark, files, job)
    planned = plan(job, found.format, found.files)
    if not job.overwrite and (before := output.before(planned.key)):
        sys.stderr.write(f"nothing to do: {job.output} has these rows, scored by this release\n")
        return before
    output.check_free(job.overwrite)
    scorer = _scorer(job, release, golden, found, files, output)
    started = time.monotonic()
    written = Batch(found, scorer, output).run(planned)
    place = output.gather(written)
    told = Teller(job, release, found, files, place).receipt(scorer, written, time.monotonic() - started)
    output.finish(place, planned.key, told)
    return told


def _scorer(job: BatchJob, release: Release, golden: Golden, found: Input, files: Files, output: Output) -> Scorer:
    """By the form that answers online; what has none is Spark's own, which reads its model from where parts are."""
    if release.manifest.servable.form:
        return FormScorer(job, release, found)
    folder = model_of(job.folder)
    if not folder.is_dir():
        raise Refused(f"expected a release with a form or a pipeline of Spark, found neither: {release.digest[:12]}")
    if is_local(job.master):
        return SparkScorer(job, release, golden, found, f"file://{folder}")
    place = f"{output.staging}/model-{release.digest[:12]}"
    files.copy_here(f"file://{folder}", place)
    return SparkScorer(job, release, golden, found, place)

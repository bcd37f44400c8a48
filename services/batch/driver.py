"""A batch from the first look at its input to the receipt."""

import sys
import tempfile
import time
from pathlib import Path

from pyspark.sql import SparkSession

from services.batch.batch import Batch
from services.batch.by_form import FormScorer
from services.batch.files import Files
from services.batch.inputs import read_input
from services.batch.output import Output
from services.batch.parts import plan
from services.batch.receipts import Teller
from services.batch.session import session
from services.batch.shipping import ship
from services.contract.batch_job import BatchJob
from services.contract.open_release import open_release
from services.contract.receipt import Receipt
from services.contract.release import Release


def score(job: BatchJob) -> Receipt:
    """Raises Refused, in one line, for whatever keeps it from being done; parts that are whole by then are kept for
    the next run."""
    release, _ = open_release(Path(job.folder), job.release)
    with tempfile.TemporaryDirectory() as folder:
        shipped = ship(job, Path(folder))
        with session(job.master, *shipped) as spark:
            return _scored(spark, job, release)


def _scored(spark: SparkSession, job: BatchJob, release: Release) -> Receipt:
    files = Files(spark.sparkContext)
    output = Output(files, job.output)
    output.check_ours()
    found = read_input(spark, files, job)
    planned = plan(job, found.format, found.files)
    if not job.overwrite and (before := output.before(planned.key)):
        sys.stderr.write(f"nothing to do: {job.output} has these rows, scored by this release\n")
        return before
    output.check_free(job.overwrite)
    scorer = FormScorer(job, release, found)
    started = time.monotonic()
    written = Batch(found, scorer, output).run(planned)
    place = output.gather(written)
    told = Teller(job, release, found, files, place).receipt(scorer, written, time.monotonic() - started)
    output.finish(place, planned.key, told)
    return told

"""The parts of a batch, several at a time: each is scored, written, counted where it was written, and recorded."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from pyspark.sql import DataFrame

from services.batch.failures import FAILED, task_reason
from services.batch.inputs import Input
from services.batch.output import REJECTED, SCORED, Output
from services.batch.parts import Part, Plan, Written
from services.batch.progress import Progress
from services.batch.scorer import Scorer
from services.batch.written import count, write
from services.contract.errors import Refused

_AT_ONCE = 16


class Batch:
    def __init__(self, found: Input, scorer: Scorer, output: Output) -> None:
        self._found, self._scorer, self._output = found, scorer, output

    def run(self, plan: Plan) -> list[Written]:
        """All parts in their order; those that a run before left whole are not done again.

        Raises Refused for a part that cannot be scored, when those at work have ended.
        """
        written = self._output.begin(plan)
        progress = Progress(self._found.rows, len(plan.parts))
        progress.resumed(sum(one.scored + one.rejected for one in written.values()), len(written))
        missing = [part for part in plan.parts if part.number not in written]
        for one in self._each(missing):
            written[one.number] = one
            progress.add(one.scored + one.rejected)
        return [written[part.number] for part in plan.parts]

    def _each(self, parts: Sequence[Part]) -> Iterator[Written]:
        context = self._found.session.sparkContext
        pool = ThreadPoolExecutor(min(_AT_ONCE, context.defaultParallelism), thread_name_prefix="part")
        try:
            waiting = [pool.submit(self._part, part) for part in parts]
            for one in as_completed(waiting):
                yield one.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            context.cancelAllJobs()

    def _part(self, part: Part) -> Written:
        """In a folder of this attempt alone, so nothing of another one is ever taken for it."""
        folder = f"{self._output.staging}/parts/{part.number:05d}-{uuid.uuid4().hex}"
        rows = self._found.part(part)
        try:
            scored = self._write(self._scorer.scored(rows), f"{folder}/{SCORED}")
            rejected = 0
            if scored != part.rows:
                rejected = self._write(self._scorer.rejected(rows), f"{folder}/{REJECTED}")
        except FAILED as error:
            raise Refused(
                f"{part.files[0]}: expected rows that can be read and scored: {task_reason(error)}"
            ) from error
        if scored + rejected != part.rows:
            raise Refused(
                f"{part.files[0]}: expected {part.rows} rows scored or rejected, found {scored} and {rejected}: "
                "the input was changed meanwhile"
            )
        written = Written(
            number=part.number, folder=folder, files=self._output.files_of(folder), scored=scored, rejected=rejected
        )
        self._output.record(written)
        return written

    def _write(self, rows: DataFrame, folder: str) -> int:
        write(rows, self._found.format, folder)
        return count(self._found.session, self._found.format, folder)

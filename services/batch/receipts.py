"""The receipt of a batch, from what stands in its output."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pyspark

from services.batch.answers import distribution
from services.batch.files import Files
from services.batch.inputs import Input, digests
from services.batch.output import REJECTED, SCORED
from services.batch.parts import Written
from services.batch.scorer import Scorer
from services.batch.written import read, rows_of
from services.contract.batch_job import BatchJob
from services.contract.distribution import Distribution, stability_index
from services.contract.receipt import OutputFile, Receipt, count_reason
from services.contract.release import Release


class Teller:
    """Of one batch, whose output stands in `place`."""

    def __init__(self, job: BatchJob, release: Release, found: Input, files: Files, place: str) -> None:
        self._job, self._release, self._found, self._files, self._place = job, release, found, files, place

    def receipt(self, scorer: Scorer, written: Sequence[Written], seconds: float) -> Receipt:
        """Raises Refused when its rows are not those of the input."""
        manifest, rows, answers = self._release.manifest, self._found.rows, self._answers(written)
        return Receipt(
            model=manifest.model,
            revision=manifest.revision,
            release=self._release.digest,
            run_id=manifest.candidate.promotion.run_id,
            engine="spark",
            inputs=self._found.files,
            rows_in=rows,
            rows_scored=sum(one.scored for one in written),
            rows_rejected=sum(one.rejected for one in written),
            rejected=self._reasons(written),
            outputs=self._outputs(),
            distribution=answers,
            shift=stability_index(self._job.expected, answers) if self._job.expected else None,
            compared_with=self._job.compared_with,
            seconds=round(seconds, 3),
            rows_per_second=round(rows / seconds, 1),
            versions={**scorer.versions, "spark": pyspark.__version__},
            at=datetime.now(UTC),
        )

    def _answers(self, written: Sequence[Written]) -> Distribution:
        if not any(one.scored for one in written):
            return Distribution(rows=0)
        edges = self._job.expected.edges if self._job.expected else ()
        scored = read(self._found.session, self._found.format, f"{self._place}/{SCORED}")
        return distribution(scored, self._release.manifest.task, edges)

    def _reasons(self, written: Sequence[Written]) -> dict[str, int]:
        counts: dict[str, int] = {}
        if any(one.rejected for one in written):
            rejected = read(self._found.session, self._found.format, f"{self._place}/{REJECTED}")
            for one in rejected.groupBy("reason").count().orderBy("reason").collect():
                count_reason(counts, one["reason"], one["count"])
        return counts

    def _outputs(self) -> tuple[OutputFile, ...]:
        listed = [one for kind in (SCORED, REJECTED) for one in self._files.data(f"{self._place}/{kind}")]
        taken = digests(self._found.session, self._files, listed)
        rows = rows_of(self._found.session, self._found.format, [one.path for one in listed])
        return tuple(
            OutputFile(
                path="/".join(one.path.rsplit("/", 2)[1:]), bytes=one.bytes, sha256=taken[one.path], rows=rows[one.path]
            )
            for one in listed
        )

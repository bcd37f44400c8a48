"""A batch from its files to its receipt: everything that can be refused is refused before the first row is scored."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow

from services.contract.distribution import Distribution, distribution_of, stability_index
from services.contract.receipt import InputFile, OutputFile, Receipt, count_reason
from services.contract.release import Golden, ImageDigest, Manifest
from services.prediction.batch.failure import WrongInput
from services.prediction.batch.input_files import InputFiles
from services.prediction.batch.output import REJECTED, SCORED, Output, Table
from services.prediction.batch.progress import Progress
from services.prediction.batch.scorer import REASON, BatchScorer
from services.prediction.batch.tally import Tally
from services.prediction.predictor import Predictor

# Fewer answers say nothing of how others are distributed, and fewer of a batch nothing of how they are.
_FEWEST, _FEWEST_SCORED = 20, 100
_LIBRARIES = {"onnx": "onnxruntime", "fasttext": "fasttext-predict", "sklearn": "scikit-learn", "pyfunc": "mlflow"}


@dataclass(frozen=True)
class Options:
    """`image` is the digest of the container's image, where there is one."""

    keep: Sequence[str] = ()
    image: ImageDigest | None = None
    output_format: str = "parquet"


class Job:
    """One release and one input; `tell` hears how far it is."""

    def __init__(
        self, predictor: Predictor, golden: Golden, files: InputFiles, options: Options, tell: Callable[[str], object]
    ) -> None:
        self._predictor, self._files, self._options = predictor, files, options
        self._scorer = BatchScorer(predictor, options.keep, files.format.cells)
        self._expected, self._compared_with = compared_with(predictor.manifest, golden)
        self._tally = Tally(predictor.manifest.task, self._expected.edges if self._expected else ())
        self._progress = Progress(tell, len(files.paths))
        self._reasons: dict[str, int] = {}

    def run(self, folder: Path) -> Receipt:
        """Raises Refused, and then `folder` holds nothing of it."""
        schema = self._files.schema(self._scorer.check_schema)
        entries = [self._files.entry(path) for path in self._files.paths]
        with Output(folder) as output:
            kind = self._options.output_format
            scored = output.table(SCORED, self._scorer.scored_schema(schema), kind)
            rejected = output.table(REJECTED, self._scorer.rejected_schema(schema), kind)
            read = [self._score(path, schema, scored, rejected) for path in self._files.paths]
            if not self._progress.rows:
                raise WrongInput(f"{self._files.root}: expected rows, found none")
            inputs = [one.model_copy(update={"rows": rows}) for one, rows in zip(entries, read, strict=True)]
            receipt = self._receipt(inputs, [*scored.finish(), *rejected.finish()])
            output.commit(receipt)
        return receipt

    def _score(self, path: Path, schema: pyarrow.Schema, scored: Table, rejected: Table) -> int:
        before = self._progress.rows
        for part in self._files.format.parts(path, schema):
            answered, refused = self._scorer.score(part.rows)
            scored.write(answered)
            self._tally.add(answered)
            for one in (refused, self._scorer.rejected(part.spoilt, part.reasons)):
                rejected.write(one)
                self._count(one)
            self._progress.add(len(answered), len(refused) + len(part.spoilt), part.done)
        self._progress.next_file()
        return self._progress.rows - before

    def _count(self, refused: pyarrow.RecordBatch) -> None:
        counts = refused.column(REASON).value_counts()
        for reason, rows in zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True):
            count_reason(self._reasons, reason, rows)

    def _shift(self, found: Distribution) -> float | None:
        if not self._expected or found.rows < _FEWEST_SCORED:
            return None
        return stability_index(self._expected, found)

    def _receipt(self, inputs: Sequence[InputFile], outputs: Sequence[OutputFile]) -> Receipt:
        manifest, progress, found = self._predictor.manifest, self._progress, self._tally.distribution()
        seconds = progress.seconds
        return Receipt(
            model=manifest.model,
            revision=manifest.revision,
            release=self._predictor.release.digest,
            run_id=manifest.candidate.run.run_id,
            engine="container",
            image=self._options.image,
            inputs=tuple(inputs),
            rows_in=progress.rows,
            rows_scored=progress.scored,
            rows_rejected=progress.rejected,
            rejected=self._reasons,
            outputs=tuple(outputs),
            distribution=found,
            shift=self._shift(found),
            compared_with=self._compared_with,
            seconds=seconds,
            rows_per_second=progress.rows / seconds,
            versions=versions(self._predictor.form.runtime),
            at=datetime.now(UTC),
        )


def compared_with(manifest: Manifest, golden: Golden) -> tuple[Distribution | None, str]:
    """What the release knows of how its answers are distributed, and what that is, in words."""
    if manifest.answers:
        return manifest.answers, f"{manifest.answers.rows} answers to the hold-out"
    if len(golden.predictions) < _FEWEST:
        return None, f"nothing: the release has {len(golden.predictions)} golden predictions"
    found = distribution_of(manifest.task, golden.predictions)
    return found, f"{found.rows} golden predictions, rows at the edge among them"


def versions(runtime: str) -> dict[str, str]:
    library = _LIBRARIES[runtime]
    return {"python": platform.python_version(), "pyarrow": pyarrow.__version__, library: version(library)}

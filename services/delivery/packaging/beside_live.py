"""What candidate and live release take in the forms that answer, measured here and now, one after the other."""

from dataclasses import dataclass
from functools import partial
from typing import Self

from services.contract import names
from services.contract.answers import Answers
from services.contract.candidate import Candidate
from services.contract.errors import Refused
from services.contract.release import Manifest
from services.contract.row_times import best, own
from services.contract.stopwatch import TIMED_ROWS
from services.delivery.packaging.release_folder import ReleaseFolder
from services.delivery.packaging.servable import Ask
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Scores
from services.delivery.scoring.scoring import Scorer


@dataclass(frozen=True)
class Taken:
    """Milliseconds of a row's own time in the best round, and bytes in memory when the service was ready."""

    p50_ms: float
    p99_ms: float
    memory_bytes: int

    @classmethod
    def of(cls, answers: Answers) -> Self:
        chosen = best(answers.rounds)
        return cls(chosen.percentile(0.5, own), chosen.p99(own), answers.memory_bytes)


@dataclass(frozen=True)
class Beside:
    """The candidate, as validate decided that it answers, and the rows that both are asked one at a time."""

    scorer: Scorer
    candidate: Candidate
    ask: Ask

    def measure(self, holdout: Holdout, scores: Scores, live: str) -> tuple[Taken, Taken] | None:
        """Candidate and live, the release of this digest; None where one of both cannot be asked, or not the same rows.

        It starts two processes, so it is for a thread beside what needs a processor.
        """
        store, config = self.scorer.store, self.scorer.config
        limit, rows = config.gates.latency_p99_ms, holdout.rows[:TIMED_ROWS]
        try:
            servable, graph = store.form(self.candidate)
            folder = store.release(live)
            manifest = Manifest.read(folder / names.MANIFEST_FILE)
            if not (servable.form and manifest.servable.form and rows) or manifest.inputs != config.inputs:
                return None
            model = store.model(self.candidate.digest)
            parts = ReleaseFolder(config, self.candidate, model, holdout, scores, graph)
            with store.staging() as staging:
                parts.copy_model(staging / "release")
                ask_ours = partial(self.ask, parts.draft(staging / "release", servable), servable.form)
                ask_theirs = partial(self.ask, folder, manifest.servable.form)
                return Taken.of(ask_ours(rows, limit)), Taken.of(ask_theirs(rows, limit))
        except Refused:
            return None

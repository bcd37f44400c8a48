"""compare: the candidate against the release that answers, on the same hold-out rows."""

from pathlib import Path
from typing import Annotated

import typer

from services.contract import names
from services.contract.candidate import Candidate
from services.contract.comparison import Comparison, Live
from services.contract.deployment import Deployment
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.prediction import Prediction
from services.contract.record import write_atomically
from services.contract.release import Manifest
from services.contract.verdict import Verdict
from services.delivery.clients.rollout_client import PATIENCE, Rollout
from services.delivery.output import keep, say, stop_unless_passed
from services.delivery.reports.gate_notification import notify_of_gate
from services.delivery.reports.report import comparison_page
from services.delivery.reports.run_page import tell_verdict
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.scoring import HoldoutRequest, Scorer
from services.delivery.settings import Settings
from services.delivery.statistics.paired_bootstrap import Difference, paired_difference, value_of

CandidateFile = Annotated[Path, typer.Option(help="candidate.json as fetch wrote it.")]
OutFolder = Annotated[Path | None, typer.Option(help="Write JSON and HTML report into this folder, not to stdout.")]


def compare(candidate: CandidateFile, out: OutFolder = None) -> None:
    """Compare errors on the same rows with a paired bootstrap interval; exit 1 when worse or inconclusive.

    Example: trackback compare --candidate out/candidate.json --out out
    """
    settings = Settings()
    found = Candidate.read(candidate)
    config = load_model_config(settings.models, found.promotion.model)
    live = Rollout(settings.rollout_url, PATIENCE).state(config.name).live
    comparison = compared(Scorer.of(settings, config), found, live)
    say(f"{comparison.verdict.upper()}: {comparison.summary}")
    page = comparison_page(comparison).encode()
    if out:
        write_atomically(out / names.COMPARISON_PAGE, page)
    keep(comparison, out, names.COMPARISON_FILE)
    reports = {names.COMPARISON_PAGE: page, names.COMPARISON_FILE: comparison.to_json().encode()}
    tell_verdict(settings, found, comparison, reports)
    notify_of_gate(settings, found, "compare", comparison.verdict, comparison.summary)
    stop_unless_passed(comparison.verdict)


def compared(scorer: Scorer, candidate: Candidate, live: Deployment | None) -> Comparison:
    """Raises Refused when one of both cannot answer; `live` None means that nothing answers yet."""
    return _Comparing(scorer, candidate).against(live)


class _Comparing:
    def __init__(self, scorer: Scorer, candidate: Candidate) -> None:
        self._scorer, self._candidate, self._config = scorer, candidate, scorer.config
        self._holdout_sha256 = candidate.run.holdout.sha256

    def against(self, deployment: Deployment | None) -> Comparison:
        holdout = self._scorer.holdout(self._holdout_sha256)
        folder = self._scorer.store.model(self._candidate.digest)
        self._scorer.refuse_other_code(folder)
        candidate = self._answers(self._candidate.library, folder, self._candidate.digest, holdout)
        if deployment is None:
            return self._first(value_of(self._config.gates.compare.metric, holdout.actual, candidate))
        folder = self._scorer.store.release(deployment.release)
        manifest = Manifest.read(folder / names.MANIFEST_FILE)
        live = self._answers(manifest.library, folder / names.MODEL_FOLDER, manifest.candidate.digest, holdout)
        found = paired_difference(self._config.gates.compare, holdout.actual, candidate, live)
        return self._judged(deployment, manifest, found)

    def _answers(self, library: str, folder: Path, digest: str, holdout: Holdout) -> list[Prediction]:
        scores = self._scorer.score(HoldoutRequest(library, folder, digest, self._holdout_sha256), holdout)
        if (bad := len(holdout.rows) - len(scores.finite)) > 0:
            first = f"; {scores.failure}" if scores.failure else ""
            raise Refused(
                f"expected a finite answer of {library} to every row of the hold-out, found {bad} without{first}"
            )
        return scores.finite

    def _first(self, value: float) -> Comparison:
        metric = self._config.gates.compare.metric
        summary = f"nothing is live yet, so this is the first release; its {metric} is {value:.4g}"
        return self._comparison(Verdict.PASS, summary, value)

    def _judged(self, deployment: Deployment, manifest: Manifest, found: Difference) -> Comparison:
        live = Live(revision=deployment.revision, release=deployment.release, model_digest=manifest.candidate.digest)
        verdict, words = judge(found, self._config.gates.compare.min_rows)
        summary = (
            f"{words}: {self._config.gates.compare.metric} {found.candidate:.4g}, live {live.revision} has "
            f"{found.live:.4g}; it is {found.low:.4g} to {found.high:.4g} better with "
            f"{self._config.gates.compare.confidence:.0%} confidence, at least {-found.allowed:.4g} is required"
        )
        comparison = self._comparison(verdict, summary, found.candidate)
        return comparison.model_copy(
            update={
                "live": live,
                "live_value": found.live,
                "difference": found.better_by,
                "interval": (found.low, found.high),
                "allowed": found.allowed,
            }
        )

    def _comparison(self, verdict: Verdict, summary: str, value: float) -> Comparison:
        gate = self._config.gates.compare
        return Comparison(
            model=self._config.name,
            revision=self._candidate.promotion.label,
            candidate=self._candidate.digest,
            holdout=self._candidate.run.holdout,
            live=None,
            metric=gate.metric,
            candidate_value=value,
            live_value=None,
            difference=None,
            interval=None,
            allowed=None,
            confidence=gate.confidence,
            margin=gate.margin,
            verdict=verdict,
            summary=summary,
        )


def judge(found: Difference, min_rows: int) -> tuple[Verdict, str]:
    """Only an interval that lies wholly on one side of what is allowed decides."""
    if found.rows < min_rows:
        return Verdict.INCONCLUSIVE, f"{found.rows} rows are fewer than the {min_rows} that the gate asks for"
    if found.low >= -found.allowed:
        return Verdict.PASS, "not worse than live"
    if found.high < -found.allowed:
        return Verdict.FAIL, "worse than live"
    return Verdict.INCONCLUSIVE, "cannot be told from worse than live"

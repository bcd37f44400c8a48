"""Decides how a model will answer online, while it is validated, and keeps the form for the release."""

from dataclasses import dataclass
from functools import partial

from services.contract.candidate import Candidate
from services.contract.errors import Undecided
from services.contract.release import Servable
from services.contract.verdict import Check
from services.delivery.gates.form import form_check, form_undecided
from services.delivery.output import say
from services.delivery.packaging.release_folder import ReleaseFolder
from services.delivery.packaging.servable import Ask, Choice, Chooser, ExpectedAnswers, Live, taken
from services.delivery.scoring.holdout import Holdout
from services.delivery.scoring.messages import Forms, Scores
from services.delivery.scoring.scoring import Scorer


@dataclass(frozen=True)
class Written:
    """A model that was asked, and the forms that were written of it."""

    scores: Scores
    forms: Forms
    graph: bytes | None


@dataclass(frozen=True)
class FormJudge:
    """Asks the service in each form of a candidate. Its answers to the hold-out are those of the scorer's store."""

    scorer: Scorer
    candidate: Candidate
    ask: Ask
    live: Live

    def judge(self, holdout: Holdout, written: Written) -> tuple[list[Check], Choice]:
        """The checks `form` and `latency`; the second only of a model that answers online."""
        try:
            choice = self._choice(holdout, written)
        except Undecided as undecided:
            return [form_undecided(undecided, written.forms.notes)], Choice(Servable(form=None, notes=()))
        if choice.servable.form and choice.answers:
            say(taken(choice.servable.form, choice.answers))
        self.scorer.store.put_form(self.candidate, choice.servable, written.graph)
        return [form_check(choice.servable), *([choice.latency] if choice.latency else [])], choice

    def _choice(self, holdout: Holdout, written: Written) -> Choice:
        store, config = self.scorer.store, self.scorer.config
        model = store.model(self.candidate.digest)
        parts = ReleaseFolder(config, self.candidate, model, holdout, written.scores, written.graph)
        expected = [*written.scores.predictions, *written.scores.finite_edges]
        rows, limit = [*holdout.rows, *holdout.edges], config.gates.latency_p99_ms
        wanted = ExpectedAnswers(rows, expected, len(holdout.edges), limit)
        with store.staging() as staging:
            folder = staging / "release"
            parts.copy_model(folder)
            return Chooser(wanted, partial(parts.draft, folder), self.ask, self.live).choose(written.forms)

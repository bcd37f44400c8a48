"""Chooses the form that serves a model: the first whose predictions agree with the library's and are quick enough."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.answers import Answers
from services.contract.digest import digest_directory
from services.contract.environments import python_for
from services.contract.errors import Refused, Undecided
from services.contract.prediction import Labelled, Prediction, apart, differs_in, scale_of
from services.contract.release import Form, Servable
from services.contract.row_times import Round
from services.contract.stopwatch import TIMED_ROWS
from services.contract.verdict import Check, Verdict
from services.delivery.gates.latency import figures, judge_beside_live, judge_latency
from services.delivery.scoring.holdout import Row
from services.delivery.scoring.limited import DEFAULT, Limits, run_limited
from services.delivery.scoring.messages import Forms

# The answers of a release folder, as the prediction service would give them, and rows timed against milliseconds.
Ask = Callable[[Path, Form, Sequence[Row], float], Answers]
# What rows take the release that answers in production, as often as it is asked; nothing where none can be asked.
Live = Callable[[Sequence[Row]], Sequence[Round]]
TURNS = 2


@dataclass(frozen=True)
class ExpectedAnswers:
    """Hold-out rows, then `edges` others, and the training library's own answers, None where it has none."""

    rows: list[Row]
    expected: list[Prediction | None]
    edges: int
    latency_p99_ms: float


@dataclass(frozen=True)
class Choice:
    """The form that will answer, if any; and of one that does what its rows took, and whether that is quick enough."""

    servable: Servable
    answers: Answers | None = None
    rounds: tuple[Round, ...] = ()
    latency: Check | None = None


@dataclass(frozen=True)
class Chooser:
    """`draft` writes a release folder, `ask` asks it, and a miss is measured again in turns with `live`."""

    wanted: ExpectedAnswers
    draft: Callable[[Servable], Path]
    ask: Ask
    live: Live

    def choose(self, forms: Forms) -> Choice:
        """The first form that agrees with the library and is quick enough; when none is quick, the first that agrees;
        and none when no one does.

        Raises Undecided when a form could not be asked to the end: another one in its place would be an accident.
        """
        notes, slow = list(forms.notes), None
        for form in forms.forms:
            try:
                choice = self._tried(form, tuple(notes))
            except Undecided as undecided:
                raise Undecided(f"{form.runtime}: {undecided}") from undecided
            except Refused as refused:
                notes.append(f"{form.runtime}: {refused}")
                continue
            if choice.latency is None or choice.latency.verdict is not Verdict.FAIL:
                return choice
            # What becomes a part of the release holds no figure of now.
            notes.append(f"{form.runtime}: expected {choice.latency.expected}, found more")
            slow = slow or choice
        return slow or Choice(Servable(form=None, notes=tuple(notes)))

    def _tried(self, form: Form, notes: tuple[str, ...]) -> Choice:
        """Raises Refused for a form that answers otherwise than the library."""
        release = self.draft(Servable(form=form, notes=notes))
        answers = self.ask(release, form, self.wanted.rows, self.wanted.latency_p99_ms)
        agreement = _agreement(form, self.wanted, answers)
        rounds, latency = self._timed(release, form, answers)
        return Choice(Servable(form=form, notes=(*notes, f"{form.runtime}: {agreement}")), answers, rounds, latency)

    def _timed(self, release: Path, form: Form, answers: Answers) -> tuple[tuple[Round, ...], Check]:
        limit, rounds, of_live = self.wanted.latency_p99_ms, answers.rounds, list[Round]()
        found = judge_latency(rounds, limit)
        if found.verdict is Verdict.PASS:
            return rounds, found
        rows = self.wanted.rows[:TIMED_ROWS]
        for _ in range(TURNS):
            of_live += self.live(rows)
            rounds += self.ask(release, form, rows, limit).rounds
        return rounds, judge_beside_live(rounds, of_live, limit)


def ask_service(environments: Path, limits: Limits = DEFAULT, containers: bool = False) -> Ask:
    """Starts the service in the environment of the form's runtime, to answer these rows and end.

    With `containers` it is those that will serve: they have the environments of runtimes, and no other.
    """

    def ask(release: Path, form: Form, rows: Sequence[Row], limit_ms: float) -> Answers:
        if containers and (release / names.MODEL_FOLDER / names.LOCK_FILE).is_file():
            raise Refused(
                "online by containers: not available for a model with its own environment: a platform whose releases "
                "are processes serves it"
            )
        own = f"prediction-{form.runtime}"
        python = python_for(own, release / names.MODEL_FOLDER, environments)
        if python is None:
            raise Undecided(f"expected {environments / own}, found none: scripts/setup {own}")
        command = ["-m", "services.prediction", str(release), "--digest", digest_directory(release)]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as questions:
            json.dump(rows, questions)
            questions.flush()
            command += ["--ask", questions.name, "--limit-ms", str(limit_ms)]
            return Answers.from_json(run_limited(python, command, limits), "the service's answer")

    return ask


def _agreement(form: Form, wanted: ExpectedAnswers, answers: Answers) -> str:
    """Raises Refused, naming the first row whose answer is not the library's own."""
    largest, scale = 0.0, scale_of(wanted.expected)
    for row, (expected, found) in enumerate(zip(wanted.expected, answers.predictions, strict=True)):
        distance = float("inf") if _lacks_classes(expected, found) else apart(expected, found, scale)
        if distance > form.tolerance:
            raise Refused(f"row {row}: {differs_in(expected, found)}")
        largest = max(largest, distance)
    rows = len(wanted.rows) - wanted.edges
    return f"agrees on {rows} hold-out rows and {wanted.edges} others, largest relative difference {largest:.2g}"


def _lacks_classes(expected: Prediction | None, found: Prediction | None) -> bool:
    return _has_all_classes(expected) and not _has_all_classes(found)


def _has_all_classes(prediction: Prediction | None) -> bool:
    return isinstance(prediction, Labelled) and prediction.probabilities is not None


def taken(form: Form, answers: Answers) -> str:
    """What a release takes that answers in this form."""
    milliseconds = figures(answers.rounds)
    return (
        f"served by {form.runtime}: ready in {answers.ready_seconds:.2f} s, {answers.memory_bytes / 1e6:.0f} MB, "
        f"a row takes {milliseconds['p50']:.3f} ms (p99 {milliseconds['p99']:.3f} ms)"
    )

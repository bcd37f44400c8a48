"""Chooses the form that serves a model: the first whose predictions agree with the library's and are quick enough."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.contract import names
from services.contract.answers import Answers
from services.contract.digest import digest_directory
from services.contract.environments import python_for
from services.contract.errors import Refused, Undecided
from services.contract.prediction import Labelled, Prediction, difference, differs_in
from services.contract.release import Form, Servable
from services.contract.verdict import Verdict
from services.delivery.gates.latency import figures, judge_latency
from services.delivery.scoring.holdout import Row
from services.delivery.scoring.limited import run_limited
from services.delivery.scoring.messages import Forms

# The answers of a release folder, as the prediction service would give them, and rows timed against milliseconds.
Ask = Callable[[Path, Form, Sequence[Row], float], Answers]


@dataclass(frozen=True)
class ExpectedAnswers:
    """Hold-out rows, then `edges` others, and the training library's own answers, None where it has none."""

    rows: list[Row]
    expected: list[Prediction | None]
    edges: int
    latency_p99_ms: float

    @property
    def scale(self) -> float:
        """What is left when large terms cancel has their rounding errors, in the library as well: so numbers are held
        against at least the median of the answers. Probabilities are not."""
        numbers = [abs(answer) for answer in self.expected if isinstance(answer, float)]
        return statistics.median(numbers) if numbers else 0.0


def choose(
    forms: Forms, wanted: ExpectedAnswers, draft: Callable[[Servable], Path], ask: Ask, say: Callable[[str], None]
) -> Servable:
    """The first form that agrees with the library; none when no one does. `draft` writes a release folder.

    Raises Undecided when a form could not be asked to the end: another one in its place would be an accident.
    """
    notes = list(forms.notes)
    for form in forms.forms:
        try:
            answers = ask(draft(Servable(form=form, notes=tuple(notes))), form, wanted.rows, wanted.latency_p99_ms)
            agreement = _agreement(form, wanted, answers)
            _quick_enough(form, wanted, answers, say)
        except Undecided:
            raise
        except Refused as refused:
            notes.append(f"{form.runtime}: {refused}")
        else:
            say(_measured(form, answers))
            return Servable(form=form, notes=(*notes, f"{form.runtime}: {agreement}"))
    return Servable(form=None, notes=tuple(notes))


def ask_service(environments: Path, containers: bool = False) -> Ask:
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
        questions = release.with_name("questions.json")
        questions.write_text(json.dumps(rows))
        digest = digest_directory(release)
        command = ["-m", "services.prediction", str(release), "--digest", digest, "--ask", str(questions)]
        command += ["--limit-ms", str(limit_ms)]
        return Answers.from_json(run_limited(python, command), "the service's answer")

    return ask


def _agreement(form: Form, wanted: ExpectedAnswers, answers: Answers) -> str:
    """Raises Refused, naming the first row whose answer is not the library's own."""
    largest, scale = 0.0, wanted.scale
    for row, (expected, found) in enumerate(zip(wanted.expected, answers.predictions, strict=True)):
        apart = _apart(expected, found, scale)
        if apart > form.tolerance:
            raise Refused(f"row {row}: {_differs_in(expected, found)}")
        largest = max(largest, apart)
    rows = len(wanted.rows) - wanted.edges
    return f"agrees on {rows} hold-out rows and {wanted.edges} others, largest relative difference {largest:.2g}"


def _quick_enough(form: Form, wanted: ExpectedAnswers, answers: Answers, say: Callable[[str], None]) -> None:
    """Raises Refused, or Undecided. What is refused becomes a part of the release, so it holds no figure of now."""
    check = judge_latency(answers.rounds, wanted.latency_p99_ms)
    if check.verdict is Verdict.PASS:
        return
    said = f"{form.runtime}: {check.verdict}: expected {check.expected}; found {check.found}"
    if check.verdict is Verdict.INCONCLUSIVE:
        raise Undecided(said)
    say(said)
    raise Refused(f"expected {check.expected}, found more")


def _apart(expected: Prediction | None, found: Prediction | None, scale: float) -> float:
    if expected is None or found is None:
        return 0.0 if expected is found else float("inf")
    if _has_all_classes(expected) and not _has_all_classes(found):
        return float("inf")
    return difference(expected, found, scale)


def _has_all_classes(prediction: Prediction) -> bool:
    return isinstance(prediction, Labelled) and prediction.probabilities is not None


def _differs_in(expected: Prediction | None, found: Prediction | None) -> str:
    return f"expected {expected}, found {found}" if expected is None else differs_in(expected, found)


def _measured(form: Form, answers: Answers) -> str:
    taken = figures(answers.rounds)
    return (
        f"served by {form.runtime}: ready in {answers.ready_seconds:.2f} s, {answers.memory_bytes / 1e6:.0f} MB, "
        f"a row takes {taken['p50']:.3f} ms (p99 {taken['p99']:.3f} ms)"
    )

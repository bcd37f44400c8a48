"""A form serves only if it answers as the training library does: every label, every number, every refusal."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.contract import names
from services.contract.answers import Answers
from services.contract.errors import Refused, Undecided
from services.contract.prediction import Labelled, Prediction
from services.contract.release import Form, Servable
from services.contract.row_times import Round, RowTime
from services.contract.stopwatch import time_rows
from services.contract.verdict import Verdict
from services.delivery.packaging.live_release import nothing_live
from services.delivery.packaging.servable import TURNS, Ask, Choice, Chooser, ExpectedAnswers, Live, ask_service
from services.delivery.scoring.messages import Forms
from tests.support.busy_machine import burn, busy_machine, needs_queue

ONNX = Form(runtime="onnx", file="servable/model.onnx", tolerance=1e-12)
NATIVE = Form(runtime="sklearn", file="model/model.skops", tolerance=1e-9)
BOTH = Forms(forms=(ONNX, NATIVE), notes=())
EXPECTED: list[Prediction | None] = [3.0, -7.5, 0.0, None]


def wanted(expected: Sequence[Prediction | None] = EXPECTED) -> ExpectedAnswers:
    return ExpectedAnswers([[1.0]] * len(expected), list(expected), edges=1, latency_p99_ms=50.0)


QUICK = RowTime(clock=1.0, thread=1.0, process=1.0, queued=0.0, paused=False)
SLOW = RowTime(clock=50.5, thread=50.5, process=50.5, queued=0.0, paused=False)
OTHERS_BUSY = RowTime(clock=300.0, thread=1.0, process=1.0, queued=299.0, paused=True)
# As where the kernel does not count.
UNKNOWN = RowTime(clock=300.0, thread=1.0, process=1.0, queued=None, paused=True)


def answering(took: RowTime = QUICK, **by_runtime: Sequence[Prediction | None] | Refused) -> Ask:
    """What the services of some runtimes answer."""

    def ask(release: Path, form: Form, rows: Sequence[Any], limit_ms: float) -> Answers:  # noqa: ARG001  an Ask
        answers = by_runtime[form.runtime]
        if isinstance(answers, Refused):
            raise answers
        rounds = (Round(rows=(took,) * 3),)
        return Answers(predictions=tuple(answers), rounds=rounds, ready_seconds=0.5, memory_bytes=80_000_000)

    return ask


def choice(
    ask: Ask, forms: Forms = BOTH, questions: ExpectedAnswers | None = None, live: Live = nothing_live
) -> Choice:
    return Chooser(questions or wanted(), lambda _: Path("draft"), ask, live).choose(forms)


def chosen(ask: Ask, forms: Forms = BOTH, questions: ExpectedAnswers | None = None) -> Servable:
    return choice(ask, forms, questions).servable


def test_the_preferred_form_serves_when_it_agrees() -> None:
    servable = chosen(answering(onnx=[3.0 + 1e-13, -7.5, 0.0, None]))
    assert servable.form == ONNX
    assert len(servable.notes) == 1
    assert servable.notes[0].startswith("onnx: agrees on 3 hold-out rows and 1 others, largest relative difference 3.")


def test_rounding_is_held_against_the_size_of_most_answers() -> None:
    """As of a price near nothing, left over of terms of thousands."""
    expected: list[Prediction | None] = [5000.0, 4000.0, 0.2]
    assert chosen(answering(onnx=[5000.0, 4000.0, 0.2 + 3e-9]), questions=wanted(expected)).form == ONNX
    assert (
        chosen(answering(onnx=[5000.0, 4000.0, 0.2 + 5e-9], sklearn=expected), questions=wanted(expected)).form
        == NATIVE
    )


def test_a_small_probability_is_held_against_itself() -> None:
    expected: list[Prediction | None] = [Labelled(label=0, probability=one) for one in (1e-9, 0.5, 0.5)]
    found: list[Prediction | None] = [Labelled(label=0, probability=one) for one in (1e-9 + 1e-20, 0.5, 0.5)]
    assert chosen(answering(onnx=found, sklearn=expected), questions=wanted(expected)).form == NATIVE


@pytest.mark.parametrize(
    ("row", "answer", "found"),
    [
        (0, 3.0 + 1e-11, "expected 3.0, found 3.00000000001"),
        (2, 1e-11, "expected 0.0, found 1e-11"),
        (1, None, "expected -7.5, found None"),
        (3, 2.0, "expected None, found 2.0"),
        (1, Labelled(label="x", probability=-7.5), "expected -7.5, found label='x'"),
    ],
)
def test_one_row_that_differs_lets_the_library_serve_by_itself(row: int, answer: Any, found: str) -> None:
    answers = [*EXPECTED[:row], answer, *EXPECTED[row + 1 :]]
    servable = chosen(answering(onnx=answers, sklearn=EXPECTED))
    assert servable.form == NATIVE
    assert servable.notes[0].startswith(f"onnx: row {row}: {found}")
    assert servable.notes[1].startswith("sklearn: agrees on 3 hold-out rows")


def test_another_label_counts_even_when_the_probability_is_the_same() -> None:
    expected, found = Labelled(label=1, probability=0.5), Labelled(label=0, probability=0.5)
    servable = chosen(answering(onnx=[found], sklearn=[expected]), questions=wanted([expected]))
    assert servable.form == NATIVE


ALL = Labelled(label="a", probability=0.5, probabilities={"a": 0.5, "b": 0.3, "c": 0.2})


@pytest.mark.parametrize(
    ("probabilities", "note"),
    [
        ({"a": 0.5, "b": 0.2, "c": 0.3}, "onnx: row 0: expected the probability 0.3 of 'b', found 0.2"),
        ({"a": 0.5, "b": 0.3, "d": 0.2}, "onnx: row 0: expected the probability 0.2 of 'c', found None"),
        ({"a": 0.5, "b": 0.3, "c": math.nan}, "onnx: row 0: expected the probability 0.2 of 'c', found nan"),
        (None, "onnx: row 0: expected the probabilities of all classes, found none"),
    ],
)
def test_a_form_that_gives_other_classes_other_probabilities_does_not_serve(probabilities: Any, note: str) -> None:
    other = ALL.model_copy(update={"probabilities": probabilities})
    servable = chosen(answering(onnx=[other], sklearn=[ALL]), questions=wanted([ALL]))
    assert (servable.form, servable.notes[0]) == (NATIVE, note)


def test_probabilities_of_all_classes_are_held_against_one() -> None:
    other = ALL.model_copy(update={"probabilities": {"a": 0.5, "b": 0.3 + 1e-13, "c": 0.2}})
    assert chosen(answering(onnx=[other]), questions=wanted([ALL])).form == ONNX


def test_a_form_whose_service_does_not_start_is_passed_over_with_its_reason() -> None:
    servable = chosen(answering(onnx=Refused("golden row 3: not the model"), sklearn=EXPECTED))
    assert servable.form == NATIVE
    assert servable.notes[0] == "onnx: golden row 3: not the model"


def taking(**by_runtime: RowTime) -> Ask:
    """Services that answer right, and take so long a row."""

    def ask(release: Path, form: Form, rows: Sequence[Any], limit_ms: float) -> Answers:
        return answering(by_runtime[form.runtime], **{form.runtime: EXPECTED[: len(rows)]})(
            release, form, rows, limit_ms
        )

    return ask


def test_a_quicker_form_takes_the_place_of_one_that_is_slower_than_the_gate() -> None:
    found = choice(taking(onnx=SLOW, sklearn=QUICK))
    assert (found.servable.form, found.latency and found.latency.verdict) == (NATIVE, Verdict.PASS)
    assert found.servable.notes[0] == "onnx: expected p99 ≤ 50 ms a row, found more"


def test_a_model_that_is_slow_in_every_form_fails_in_the_preferred_one() -> None:
    found = choice(taking(onnx=SLOW, sklearn=SLOW))
    assert (found.servable.form, found.latency and found.latency.verdict) == (ONNX, Verdict.FAIL)


def test_a_miss_is_measured_again_and_the_best_round_counts() -> None:
    times = iter([SLOW, SLOW, QUICK])

    def ask(release: Path, form: Form, rows: Sequence[Any], limit_ms: float) -> Answers:
        return taking(onnx=next(times))(release, form, rows, limit_ms)

    found = choice(ask)
    assert found.latency is not None
    assert (found.latency.verdict, found.latency.found) == (Verdict.PASS, "p99 1.0 ms")


def test_a_miss_that_the_live_release_shares_is_inconclusive_in_those_words() -> None:
    asked: list[int] = []

    def live(rows: Sequence[Any]) -> Sequence[Round]:
        asked.append(len(rows))
        return (Round(rows=(SLOW,) * 3),)

    found = choice(taking(onnx=SLOW, sklearn=QUICK), live=live)
    assert found.latency is not None
    assert (found.servable.form, found.latency.verdict) == (ONNX, Verdict.INCONCLUSIVE)
    assert found.latency.found.startswith(
        "the live release misses it here and now as well: p99 50.5 ms, this one p99 50.5"
    )
    assert asked == [len(EXPECTED)] * TURNS


def test_a_miss_that_the_live_release_does_not_share_fails_with_both_figures() -> None:
    found = choice(taking(onnx=SLOW), Forms(forms=(ONNX,), notes=()), live=lambda _: (Round(rows=(QUICK,) * 3),))
    assert found.latency is not None
    assert found.latency.verdict is Verdict.FAIL
    assert found.latency.found.endswith("the live release, asked in turns with it, p99 1.0 ms")


def test_the_live_release_is_not_looked_for_when_nothing_is_missed() -> None:
    def live(_: Sequence[Any]) -> Sequence[Round]:
        raise AssertionError

    assert choice(taking(onnx=QUICK), live=live).latency is not None


def test_a_form_serves_that_was_slow_only_because_the_machine_was_busy() -> None:
    assert chosen(taking(onnx=OTHERS_BUSY)).form == ONNX


def burning(milliseconds: float) -> Ask:
    """A service that answers right, each row of which takes so much of a processor."""

    def ask(release: Path, form: Form, rows: Sequence[Any], limit_ms: float) -> Answers:
        rounds = time_rows(lambda _: burn(milliseconds), rows, limit_ms)
        return taking(onnx=QUICK)(release, form, rows, limit_ms).model_copy(update={"rounds": rounds})

    return ask


@pytest.mark.process
@needs_queue
def test_beside_loops_on_every_core_a_good_model_passes_and_one_that_is_ten_times_slower_stops() -> None:
    alone, questions = Forms(forms=(ONNX,), notes=()), replace(wanted(), latency_p99_ms=3.0)
    with busy_machine():
        good = choice(burning(1), alone, questions)
        slow = choice(burning(10), alone, questions, lambda rows: burning(1)(Path(), ONNX, rows, 3.0).rounds)
    assert good.latency is not None
    assert good.latency.verdict is Verdict.PASS, good.latency.found
    assert slow.latency is not None
    assert slow.latency.verdict is Verdict.FAIL, slow.latency.found
    assert "; the live release, asked in turns with it, p99 " in slow.latency.found


def test_no_other_form_takes_the_place_of_one_whose_time_cannot_be_told() -> None:
    found = choice(taking(onnx=UNKNOWN, sklearn=QUICK))
    assert found.latency is not None
    assert (found.servable.form, found.latency.verdict) == (ONNX, Verdict.INCONCLUSIVE)
    assert found.latency.found.startswith("the machine is busy with others (p99 300.0 ms")


def test_no_other_form_takes_the_place_of_one_that_did_not_come_to_its_end() -> None:
    with pytest.raises(Undecided, match="no answers within 480 s"):
        chosen(answering(onnx=Undecided("no answers within 480 s"), sklearn=EXPECTED))


def test_without_a_form_that_agrees_the_release_is_for_batch_only_and_says_why() -> None:
    assert chosen(answering(), Forms(forms=(), notes=("onnx: a stage it does not know",))) == Servable(
        form=None, notes=("onnx: a stage it does not know",)
    )


def test_a_model_with_an_environment_of_its_own_is_for_batch_only_where_containers_serve(tmp_path: Path) -> None:
    form = Form(runtime="pyfunc", file="model/MLmodel", tolerance=1e-5)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / names.LOCK_FILE).touch()
    forms, ask = Forms(forms=(form,), notes=("onnx: none",)), ask_service(tmp_path, containers=True)
    assert Chooser(wanted(), lambda _: tmp_path, ask, nothing_live).choose(forms).servable == Servable(
        form=None,
        notes=(
            "onnx: none",
            "pyfunc: online by containers: not available for a model with its own environment: a platform whose "
            "releases are processes serves it",
        ),
    )


def test_a_missing_environment_is_an_error_and_no_reason_to_serve_otherwise(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"expected .*/prediction-onnx, found none: scripts/setup prediction-onnx"):
        chosen(ask_service(tmp_path))
